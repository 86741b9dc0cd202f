//! Pictures that cannot be sent as they are: those named by a URL are fetched, those that are too large
//! are made smaller.
//!
//! ```text
//! Surface::accept ─> Accepted.wanted ── fetch ─> Pictures ─> Surface::accept, once more
//! Accepted.conversation ── fit ─> the same with smaller pictures
//! ```

mod address;
mod fetch;
#[cfg(feature = "scale")]
mod scale;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytestring::ByteString;
use kiro_protocol::conversation::{Conversation, Image};

use crate::error::{Error, ErrorKind};
use crate::tenant::Tenant;
use fetch::{FetchError, Fetcher};

/// Pictures by URL, and pictures that are too large.
///
/// ```
/// let mut options = kiro_gateway::ImageOptions::default();
/// options.fetch = kiro_gateway::FetchImages::Off;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImageOptions {
    /// For whom pictures named by an `http(s)` URL are fetched. Default: [`FetchImages::Own`].
    pub fetch: FetchImages,
    /// Largest picture that is fetched, in bytes. Default: 10 MB, the largest that is sent on.
    pub max_bytes: usize,
    /// Largest sum of what is fetched for one request, in bytes: a request of a few lines could fill the
    /// memory otherwise. Default: 32 MiB.
    pub max_total_bytes: usize,
    /// For fetching one picture, redirects included. Default: 10 s.
    pub timeout: Duration,
    /// Redirects that are followed; each is checked like the URL itself. Default: 3.
    pub max_redirects: usize,
    /// Pictures that are fetched at the same time, for all callers together. Default: 16.
    pub max_fetches: usize,
    /// The ports that URLs may name. Default: 80 and 443.
    pub ports: Vec<u16>,
    /// Addresses that pictures may come from although they are not public.
    ///
    /// Dangerous: whoever may have pictures fetched can reach these addresses through the gateway, on
    /// all [`ports`](Self::ports). Default: none.
    pub allow_private: Vec<IpAddr>,
    /// Whether pictures that are larger than the service takes are made smaller. Default: `false`.
    #[cfg(feature = "scale")]
    pub scale: bool,
}

/// For whom pictures named by a URL are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchImages {
    /// For nobody.
    Off,
    /// For those who use the gateway's own credentials, and not for guests.
    Own,
    /// For everyone who has the key.
    All,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self {
            fetch: FetchImages::Own,
            max_bytes: 10_000_000,
            max_total_bytes: 32 << 20,
            timeout: Duration::from_secs(10),
            max_redirects: 3,
            max_fetches: 16,
            ports: vec![80, 443],
            allow_private: Vec::new(),
            #[cfg(feature = "scale")]
            scale: false,
        }
    }
}

/// Most pictures that are fetched for one request: as many as the service takes. The newest are.
const MAX_PER_REQUEST: usize = 20;

/// A picture that a request names by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its URL, `http:` or `https:`.
    pub(crate) url: ByteString,
    /// Where the request names it, for the refusal.
    pub(crate) place: String,
}

/// What became of pictures named by a URL, as far as a surface may know.
#[derive(Debug)]
pub(crate) enum Pictures {
    /// None is fetched, for the reason given.
    Refused(&'static str),
    /// These were. `None` is one that was left out because there are newer ones.
    Fetched(HashMap<ByteString, Option<Image>>),
}

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
