//! What is done with pictures, and for whom.

use std::net::IpAddr;
use std::time::Duration;

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
