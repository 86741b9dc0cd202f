//! The three envelopes around one conversation object and one binary reply.

/// Which envelope a request travels in, and what may be expected of its reply.
///
/// Source: the official streaming SDK, the official CLI and captures of the IDE 1.0.395, October 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Generation {
    /// REST-JSON of the IDE 0.x: a path per operation, and no stop reason is promised.
    Rest,
    /// AWS-JSON-1.0 of the classic CLI: `POST /` with an `AmazonCodeWhispererStreamingService` target.
    Cli,
    /// AWS-JSON-1.0 of the IDE 1.x: `POST /` with a `KiroRuntimeService` target. A reply without a stop
    /// reason is a broken reply.
    Krs,
}
