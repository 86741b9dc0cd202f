//! The connection to Redis: made when it is needed, made again when it breaks, and never waited for long.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RetryMethod,
    ServerErrorKind,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::AuthError;
use crate::secret::Secret;

/// Asks Redis, in the face of restarts.
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    /// The connection that is believed to work. It is replaced and not repaired: a connection whose other
    /// end has vanished without a word shows nothing but timeouts.
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    /// Counts the connections, so that the failure of an old one does not cost a new one.
    number: u64,
    connection: Option<MultiplexedConnection>,
}

/// The pause between two tries. A Redis that restarts on the same machine is back within a few of them.
const PAUSE: Duration = Duration::from_millis(100);

impl Link {
    /// A link to the server of a URL. `timeout` bounds every question, tries and pauses included.
    pub(super) fn new(url: &Secret, timeout: Duration) -> Result<Self, AuthError> {
        let url = url.expose();
        if ["rediss:", "valkeys:"]
            .iter()
            .any(|tls| url.starts_with(tls))
        {
            return Err(AuthError::misconfigured(
                "TLS to Redis is not built in: reach it over a private network, a Unix socket or a local TLS \
                 proxy",
            ));
        }
        // The reasons that the client gives for refusing a URL are fixed texts; they do not repeat it.
        let client = Client::open(url).map_err(|error| {
            AuthError::misconfigured("the URL of Redis cannot be understood").with_source(error)
        })?;
        Ok(Self {
            client,
            timeout,
            slot: Mutex::default(),
        })
    }

    /// Sends a command and returns the answer. A command whose connection broke is sent again, so it must
    /// not matter whether it is carried out twice.
    ///
    /// # Errors
    ///
    /// [`StoreFailed`](crate::AuthErrorKind::StoreFailed) when there is no answer in time, or a refusal.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, AuthError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let error = match timeout_at(deadline, self.try_once(command)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(elapsed) => {
                    return Err(self.failed("no answer in time from").with_source(elapsed));
                }
            };
            if !may_retry(&error) || Instant::now() + PAUSE >= deadline {
                return Err(self.failed("cannot use").with_source(error));
            }
            tracing::debug!(address = %self, %error, "asking Redis again");
            sleep(PAUSE).await;
        }
    }

    async fn try_once<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let (number, mut connection) = self.connected().await?;
        let answer = command.query_async(&mut connection).await;
        if let Err(error) = &answer
            && is_broken(error)
        {
            self.forget(number).await;
        }
        answer
    }

    /// The connection and its number.
    async fn connected(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        let mut slot = self.slot.lock().await;
        if let Some(connection) = &slot.connection {
            return Ok((slot.number, connection.clone()));
        }
        // Half of the time, so that a second try on another connection is left.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout / 2))
            .set_response_timeout(Some(self.timeout / 2));
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        slot.number += 1;
        slot.connection = Some(connection.clone());
        Ok((slot.number, connection))
    }

    async fn forget(&self, number: u64) {
        let mut slot = self.slot.lock().await;
        if slot.number == number {
            slot.connection = None;
        }
    }

    fn failed(&self, doing: &str) -> AuthError {
        AuthError::store_failed(format!("{doing} Redis at {self}"))
    }
}

/// Whether another try may do better: the server restarts, loads its data, or has handed over to another.
fn may_retry(error: &RedisError) -> bool {
    is_broken(error) || matches!(error.retry_method(), RetryMethod::WaitAndRetry)
}

/// Whether the connection is of no more use. A server that has become a replica refuses to write; the
/// name then leads to another.
fn is_broken(error: &RedisError) -> bool {
    let read_only = ErrorKind::Server(ServerErrorKind::ReadOnly);
    error.is_io_error()
        || error.is_unrecoverable_error() && error.kind() != ErrorKind::AuthenticationFailed
        || error.kind() == read_only
}

/// The host and port; the password of the URL is not among them.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.get_connection_info().addr().fmt(f)
    }
}
