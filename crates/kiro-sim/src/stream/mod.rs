//! The binary reply: frames, what a script becomes, and the HTTP body that performs it.

mod body;
mod frame;
mod line;
mod plan;

pub(crate) use body::{Broken, SimBody, stream_body, whole_body};
pub(crate) use line::{Line, Transport, Wire};
pub(crate) use plan::{Action, Answer, Plan, ReplyContext, plan, sign};
