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
    way: Way,
    timeout: Duration,
}

/// How a command gets there.
enum Way {
    Network(Box<Network>),
    #[cfg(any(test, feature = "test-util"))]
    StandIn(std::sync::Arc<dyn super::StandIn>),
}

struct Network {
    client: Client,
    /// Of one try, and of connecting.
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
        let network = Network {
            client,
            // Half of the time, so that a second try on another connection is left.
            timeout: timeout / 2,
            slot: Mutex::default(),
        };
        Ok(Self {
            way: Way::Network(Box::new(network)),
            timeout,
        })
    }

    /// A link to what answers in the place of a server.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn to_stand_in(
        stand_in: std::sync::Arc<dyn super::StandIn>,
        timeout: Duration,
    ) -> Self {
        Self {
            way: Way::StandIn(stand_in),
            timeout,
        }
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
        match &self.way {
            Way::Network(network) => network.try_once(command).await,
            #[cfg(any(test, feature = "test-util"))]
            Way::StandIn(stand_in) => {
                let answer = tokio::time::timeout(self.timeout / 2, stand_in.answer(command));
                let answer = answer
                    .await
                    .map_err(|elapsed| RedisError::from(std::io::Error::from(elapsed)))??;
                Ok(redis::from_redis_value(answer.extract_error()?)?)
            }
        }
    }

    fn failed(&self, doing: &str) -> AuthError {
        AuthError::store_failed(format!("{doing} Redis at {self}"))
    }
}

impl Network {
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
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
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
        match &self.way {
            Way::Network(network) => network.client.get_connection_info().addr().fmt(f),
            #[cfg(any(test, feature = "test-util"))]
            Way::StandIn(_) => f.write_str("a stand-in"),
        }
    }
}
