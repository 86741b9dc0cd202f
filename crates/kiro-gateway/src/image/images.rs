//! What is done with the pictures of an exchange.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::task::Poll;

use kiro_protocol::conversation::Conversation;

use super::fetch::{FetchError, Fetcher};
#[cfg(feature = "scale")]
use super::scale;
use super::{FetchImages, ImageOptions, Pictures, Wanted};
use crate::error::{Error, ErrorKind};
use crate::tenant::Tenant;

/// Most pictures that are fetched for one request: as many as the service takes. The newest are.
const MAX_PER_REQUEST: usize = 20;

/// Fetches pictures and makes them smaller, as configured.
#[derive(Debug)]
pub(crate) struct Images {
    policy: FetchImages,
    fetcher: Fetcher,
    #[cfg(feature = "scale")]
    scaler: Option<scale::Scaler>,
}

impl Images {
    /// As the options say. Opens no connection.
    pub(crate) fn new(options: ImageOptions, tls: rustls::ClientConfig, user_agent: &str) -> Self {
        Self {
            policy: options.fetch,
            #[cfg(feature = "scale")]
            scaler: options.scale.then(scale::Scaler::new),
            fetcher: Fetcher::new(options, tls, user_agent),
        }
    }

    /// What there is for a tenant before anything was fetched.
    pub(crate) fn none_yet(&self, tenant: &Tenant) -> Pictures {
        match self.policy {
            FetchImages::All => Pictures::Fetched(HashMap::new()),
            FetchImages::Own if tenant.is_house() => Pictures::Fetched(HashMap::new()),
            FetchImages::Own => Pictures::Refused(
                "this gateway does not fetch http(s) URLs for callers with a login of their own",
            ),
            FetchImages::Off => Pictures::Refused("this gateway does not fetch http(s) URLs"),
        }
    }

    /// Fetches what a request wants, each URL once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] with the place of the first picture that cannot be had.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes its connections.
    pub(crate) async fn fetch(&self, wanted: &[Wanted]) -> Result<Pictures, Error> {
        let mut seen = HashSet::new();
        // From the end, because the newest ones count.
        let distinct: Vec<_> = wanted
            .iter()
            .rev()
            .filter(|wanted| seen.insert(&wanted.url))
            .collect();
        let (newest, older) = distinct.split_at(distinct.len().min(MAX_PER_REQUEST));
        let left = self.fetcher.budget();
        let fetching = newest.iter().map(|wanted| async {
            let image = self.fetcher.fetch(&wanted.url, &left).await;
            let image = image.map_err(|error| refuse(wanted, error))?;
            Ok((wanted.url.clone(), Some(image)))
        });
        let mut pictures: HashMap<_, _> = all(fetching).await?.into_iter().collect();
        pictures.extend(older.iter().map(|wanted| (wanted.url.clone(), None)));
        Ok(Pictures::Fetched(pictures))
    }

    /// Makes pictures smaller that are larger than the service takes, if that is wanted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the work could not be done at all. A picture that cannot be read
    /// stays as it is.
    pub(crate) async fn fit(&self, conversation: Conversation) -> Result<Conversation, Error> {
        #[cfg(feature = "scale")]
        if let Some(scaler) = &self.scaler {
            return scaler.fit(conversation).await;
        }
        Ok(conversation)
    }
}

fn refuse(wanted: &Wanted, error: FetchError) -> Error {
    if matches!(error, FetchError::Busy) {
        let message = "Too many images are being fetched at the moment. Try again, or send the image as a base64 data URL.";
        return Error::new(ErrorKind::Overloaded, message).with_param(&*wanted.place);
    }
    let message = format!("Invalid image: {error}. {}", error.remedy());
    Error::invalid(&*wanted.place, Some("invalid_value"), message).with_source(error)
}

/// Runs all of them at the same time, in this task, to the first error.
async fn all<T, F: Future<Output = Result<T, Error>>>(
    futures: impl Iterator<Item = F>,
) -> Result<Vec<T>, Error> {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut done = Vec::with_capacity(running.len());
    std::future::poll_fn(move |cx| {
        let mut index = 0;
        while index < running.len() {
            match running[index].as_mut().poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(result) => {
                    drop(running.swap_remove(index));
                    done.push(result?);
                }
            }
        }
        match running.is_empty() {
            true => Poll::Ready(Ok(std::mem::take(&mut done))),
            false => Poll::Pending,
        }
    })
    .await
}
