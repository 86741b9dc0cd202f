//! An answer with searches in it: replies of the model one after the other, told as one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures_core::Stream;
use kiro_auth::CredentialId;
use kiro_protocol::conversation::{Conversation, JsonObject};
use kiro_protocol::reply::{ReplyEvent, StopReason, Usage};
use kiro_protocol::rpc::{HostedTool, WebPage};
use kiro_protocol::text::JsonText;

use super::generation::{Generation, sum};
use super::{Asked, Event, Failure, Found, NAME, Search, pages};
use crate::admission::Held;
use crate::bounds::{self, BoundedReply, Demand};
use crate::error::{Error, ErrorKind};
use crate::job::Job;
use crate::surface::ReplyEncoder;

/// Searches of one answer where the request does not say: a model may ask for many in one reply.
const MOST_SEARCHES: u32 = 10;

/// Replies that one answer is made of at most. A model that still searches then has its turn paused, and the
/// client may let it go on.
const MAX_ROUNDS: usize = 10;

/// A reply within its bounds, and the searches in it if the request offers any.
pub(crate) enum SearchedReply {
    /// Without searches.
    Plain(Box<BoundedReply>),
    /// With them. It keeps its own limits of time.
    Searching {
        events: Pin<Box<dyn Stream<Item = Result<Event, Error>> + Send>>,
        /// What the first reply does not keep although it was asked for.
        warning: Option<&'static str>,
        /// The credential that the first reply was given to.
        credential: Option<CredentialId>,
        /// Memory for the conversation, which every round sends once more.
        held: Option<Held>,
    },
}

/// Opens an answer.
///
/// # Errors
///
/// As [`bounds::open`]; also when the request offers searches and the account has none.
///
/// # Cancel safety
///
/// As the upstream's.
pub(crate) async fn open(
    job: Job,
    conversation: Conversation,
    search: Option<Search>,
) -> Result<SearchedReply, Error> {
    let Some(search) = search else {
        let reply = bounds::open(&job, conversation).await?;
        return Ok(SearchedReply::Plain(Box::new(reply)));
    };
    // Seldom, so it takes no room in the exchanges that do without.
    Box::pin(open_searching(job, conversation, search)).await
}

async fn open_searching(
    job: Job,
    mut conversation: Conversation,
    search: Search,
) -> Result<SearchedReply, Error> {
    let (tenant, upstream) = (&job.tenant, &job.shared.upstream);
    let hosted = tenant.hosted.search(upstream, tenant).await?;
    let hosted = hosted.ok_or_else(|| search.unavailable())?;
    describe(&mut conversation, &hosted);
    let answer = Answer {
        job,
        conversation,
        search,
        n_searches: 0,
    };
    let reply = answer.next_reply().await?;
    let (warning, credential) = (reply.warning(), reply.credential());
    let events = Box::pin(answer.events(reply));
    Ok(SearchedReply::Searching {
        events,
        warning,
        credential,
        held: None,
    })
}

/// Offers the search in the service's own words.
fn describe(conversation: &mut Conversation, hosted: &HostedTool) {
    let tools = conversation.tools.iter_mut();
    for tool in tools.filter(|tool| tool.name == NAME) {
        if let Some(description) = &hosted.description {
            tool.description = JsonText::new(description);
        }
        if let Ok(schema) = JsonObject::try_from(&hosted.schema)
            && !hosted.schema.is_empty()
        {
            tool.schema = schema;
        }
    }
}

/// An answer under way.
struct Answer {
    job: Job,
    /// With what was said and found so far.
    conversation: Conversation,
    search: Search,
    n_searches: u32,
}

impl Answer {
    async fn next_reply(&self) -> Result<BoundedReply, Error> {
        bounds::open(&self.job, self.conversation.clone()).await
    }

    fn events(
        mut self,
        mut reply: BoundedReply,
    ) -> impl Stream<Item = Result<Event, Error>> + Send {
        async_stream::try_stream! {
            let mut usage = Usage::default();
            for round in 1.. {
                let mut generation = Generation::default();
                while let Some(event) = reply.next(self.job.deadlines.gap).await? {
                    // It began with the first reply.
                    if round > 1 && event == ReplyEvent::Start {
                        continue;
                    }
                    if let Some(event) = generation.take(event) {
                        yield event;
                    }
                }
                usage = sum(usage, &generation.usage);
                let mut found = Vec::new();
                for asked in generation.asked() {
                    let pages = self.look_up(asked).await;
                    let id = asked.id.clone();
                    found.push(Found { id, pages });
                    yield Event::Found(found[found.len() - 1].clone());
                }
                let goes_on = generation.goes_on();
                if !goes_on || round == MAX_ROUNDS {
                    if let Some(sequence) = reply.stopped_at() {
                        yield Event::StoppedAt(sequence.to_owned());
                    }
                    yield Event::Reply(ReplyEvent::Usage(usage));
                    yield Event::Reply(ReplyEvent::Stop(match goes_on {
                        true => StopReason::PauseTurn,
                        false => generation.reason(),
                    }));
                    break;
                }
                self.go_on(generation, &found, &reply);
                reply = self.next_reply().await?;
            }
        }
    }

    /// Prepares the next reply.
    fn go_on(&mut self, generation: Generation, found: &[Found], reply: &BoundedReply) {
        self.conversation.turns.extend(generation.into_turns(found));
        self.job.bounds.max_tokens = reply.tokens_left();
        // A tool that had to be called was called.
        if let Some(Demand::Tool(_)) = self.job.bounds.demand {
            self.job.bounds.demand = None;
        }
    }

    /// Carries a search out. A failure is the model's to know, not the end of the answer.
    async fn look_up(&mut self, asked: &Asked) -> Result<Vec<WebPage>, Failure> {
        if !has_query(&asked.input) {
            return Err(Failure::InvalidInput);
        }
        if self.n_searches >= self.search.max_uses.unwrap_or(MOST_SEARCHES) {
            return Err(Failure::MaxUses);
        }
        self.n_searches += 1;
        let Job {
            shared,
            tenant,
            tape,
            ..
        } = &self.job;
        let using = shared.upstream.use_hosted(tenant, NAME, &asked.input, tape);
        let output = using.await.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a search failed");
            match error.kind() {
                ErrorKind::RateLimited => Failure::TooManyRequests,
                _ => Failure::Unavailable,
            }
        })?;
        if output.is_error {
            tracing::warn!("the hosted search says that it failed");
            return Err(Failure::Unavailable);
        }
        let text = output.texts.first().map_or("", String::as_str);
        pages::read(text, &self.search.domains)
    }
}

fn has_query(input: &JsonObject) -> bool {
    #[derive(serde::Deserialize)]
    struct Input {
        query: String,
    }
    serde_json::from_str::<Input>(input.as_str()).is_ok_and(|input| !input.query.trim().is_empty())
}

impl SearchedReply {
    /// A word for what the answer does not keep although it was asked for.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        match self {
            Self::Plain(reply) => reply.warning(),
            Self::Searching { warning, .. } => *warning,
        }
    }

    /// The credential that it was given to, the first one if there are several.
    pub(crate) fn credential(&self) -> Option<CredentialId> {
        match self {
            Self::Plain(reply) => reply.credential(),
            Self::Searching { credential, .. } => *credential,
        }
    }

    /// With memory that is held as long as the conversation is.
    pub(crate) fn holding(mut self, memory: Held) -> Self {
        if let Self::Searching { held, .. } = &mut self {
            *held = Some(memory);
        }
        self
    }

    /// Whether it keeps its own limits of time.
    pub(crate) fn has_own_limits(&self) -> bool {
        matches!(self, Self::Searching { .. })
    }

    /// The next event; `None` after the last one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when a poll is not followed by another.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event>, Error>> {
        match self {
            Self::Plain(reply) => {
                let event = ready!(reply.poll_event(cx))?;
                Poll::Ready(Ok(event.map(Event::Reply)))
            }
            Self::Searching { events, .. } => {
                let event = ready!(events.as_mut().poll_next(cx));
                Poll::Ready(event.transpose())
            }
        }
    }

    /// Tells an encoder of an event of this reply.
    pub(crate) fn tell(&self, event: Event, encoder: &mut dyn ReplyEncoder, out: &mut BytesMut) {
        match event {
            Event::Reply(event) => {
                if let (ReplyEvent::Stop(_), Self::Plain(reply)) = (&event, self)
                    && let Some(sequence) = reply.stopped_at()
                {
                    encoder.stopped_at(sequence);
                }
                encoder.event(event, out);
            }
            Event::StoppedAt(sequence) => encoder.stopped_at(&sequence),
            Event::Asked(asked) => encoder.search(&asked, out),
            Event::Found(found) => encoder.found(&found, out),
        }
    }
}
