//! (page to come)

fn main() {}
