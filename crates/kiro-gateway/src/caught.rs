//! A panic in one request is an error of that request alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use crate::error::{Error, ErrorKind};

/// Does what answers a request. Where it panics, which would end the connection and with it the other requests
/// that are on it, the request fails.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| {
        // What has panicked is not polled again, so nobody sees what it left half done.
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            let message = "The gateway has failed on this request. The log has the reason.";
            Poll::Ready(Err(Error::new(ErrorKind::Internal, message)))
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        };
        let error = caught::<()>(panics).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(!error.public_message().contains("purpose"));
        assert_eq!(caught(async { Ok(7) }).await.unwrap(), 7);
    }
}
