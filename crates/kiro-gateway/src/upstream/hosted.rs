//! The tools that the service hosts: which there are, and the use of one.

use std::time::Duration;

use kiro_auth::{CredentialId, Lease, LeaseRequest, Outcome};
use kiro_protocol::conversation::JsonObject;
use kiro_protocol::fault::FaultKind;
use kiro_protocol::request::WireProfile;
use kiro_protocol::rpc::{self, Call, HostedTool, HostedTools, ToolOutput};
use uuid::Uuid;

use super::retry::{self, Failure, Next, Tried};
use super::{Upstream, random_byte, refusal, target};
use crate::capture::{Take, Tape};
use crate::error::Error;
use crate::tenant::Tenant;

/// How long the list of tools may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one use may take. Source: section "web search" of `docs/kiro-protocol.md`.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Attempts after the first, for failures that pass by themselves: the answer waits for it.
const MAX_RETRIES: u32 = 1;

/// Bytes of an answer that are read at most; ten pages have about thirty kilobytes.
const MAX_ANSWER: usize = 1 << 20;

/// What is asked.
enum Question<'a> {
    List,
    Use {
        tool: &'a str,
        input: &'a JsonObject,
    },
}

impl Upstream {
    /// The tools that the service hosts for a tenant.
    ///
    /// # Errors
    ///
    /// As an exchange.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn hosted_tools(&self, tenant: &Tenant) -> Result<Vec<HostedTool>, Error> {
        let answer = self.ask(tenant, &Question::List, &Tape::default()).await?;
        match HostedTools::parse(&answer) {
            Ok(hosted) => Ok(hosted.tools),
            Err(error) => {
                tracing::warn!(%error, "the list of hosted tools cannot be read");
                Err(refusal::error(Failure::Malformed, tenant.is_house(), None))
            }
        }
    }

    /// Uses a hosted tool.
    ///
    /// # Errors
    ///
    /// As an exchange; also when the service says that it knows no such tool.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn use_hosted(
        &self,
        tenant: &Tenant,
        tool: &str,
        input: &JsonObject,
        tape: &Tape,
    ) -> Result<ToolOutput, Error> {
        let question = Question::Use { tool, input };
        let answer = self.ask(tenant, &question, tape).await?;
        ToolOutput::parse(&answer).map_err(|error| {
            tracing::warn!(%error, tool, "the answer of a hosted tool cannot be read");
            refusal::error(Failure::Malformed, tenant.is_house(), None)
        })
    }

    async fn ask(
        &self,
        tenant: &Tenant,
        question: &Question<'_>,
        tape: &Tape,
    ) -> Result<Vec<u8>, Error> {
        let mut tried = Tried::default();
        let mut avoid: Vec<CredentialId> = Vec::new();
        let mut last: Option<Error> = None;
        loop {
            let wish = LeaseRequest {
                avoid: &avoid,
                affinity: None,
            };
            let mut lease = match tenant.pool.lease_with(wish).await {
                Ok(lease) => lease,
                Err(error) => {
                    return Err(
                        last.unwrap_or_else(|| refusal::no_credential(error, tenant.is_house()))
                    );
                }
            };
            tried.attempts += 1;
            let profile = self.profile_for(&lease, &mut tried);
            let take = tape.attempt(&profile.name, true);
            let asking = tokio::time::timeout(question.timeout(), async {
                self.find_profile(&tenant.finding_profile, &mut lease)
                    .await?;
                self.ask_once(&lease, question, profile, &take).await
            });
            let failure = match asking.await.unwrap_or(Err(Failure::Silent)) {
                Ok(answer) => {
                    lease.settle(Outcome::Success);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            take.failed(&failure);
            let next = retry::next(&failure, tried, MAX_RETRIES);
            let next = self.affordable(next, &failure);
            tracing::warn!(
                failure = failure.for_log(),
                ?next,
                "a hosted tool cannot be asked"
            );
            let credential = lease.credential_id();
            match is_throttled(&failure) {
                // The limit of the tools is not that of the model: the answer must go on.
                true => lease.settle(Outcome::Neutral),
                false => refusal::settle(lease, &failure, None),
            }
            let error = refusal::error(failure, tenant.is_house(), None);
            match next {
                Next::Refresh => tried.refreshed = true,
                Next::FallBack => tried.fell_back = true,
                Next::Again(pause) => {
                    tokio::time::sleep(retry::jittered(pause, random_byte())).await;
                }
                Next::Elsewhere if tried.attempts <= MAX_RETRIES => avoid.push(credential),
                Next::Elsewhere | Next::GiveUp => return Err(error),
            }
            last = Some(error);
        }
    }

    async fn ask_once(
        &self,
        lease: &Lease,
        question: &Question<'_>,
        profile: &WireProfile,
        take: &Take,
    ) -> Result<Vec<u8>, Failure> {
        let token = lease.token();
        let base = self.base(profile, token)?;
        let mut call = Call::new(profile, &base, token.secret().expose());
        call.token_type = token.token_type();
        call.profile_arn = token.profile_arn_for(target::api_host(profile.host_kind));
        call.user_agent = &self.options.user_agent;
        let request = question.request(&call).map_err(Failure::Unsendable)?;
        take.send(&request, token);
        let mut body = self.send(request, take).await?;
        Ok(body.read_up_to(MAX_ANSWER).await)
    }
}

fn is_throttled(failure: &Failure) -> bool {
    matches!(failure, Failure::Fault(fault) if fault.kind() == FaultKind::Throttled)
}

impl Question<'_> {
    fn timeout(&self) -> Duration {
        match self {
            Self::List => LIST_TIMEOUT,
            Self::Use { .. } => CALL_TIMEOUT,
        }
    }

    fn request(
        &self,
        call: &Call<'_>,
    ) -> Result<http::Request<bytes::Bytes>, kiro_protocol::request::BuildError> {
        let id = Uuid::new_v4().to_string();
        match self {
            Self::List => rpc::list_tools(call, &id),
            Self::Use { tool, input } => rpc::call_tool(call, &id, tool, input),
        }
    }
}
