//! Who asks the service: the gateway for a client in the same process, or a bare hyper client.

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kiro_auth::{
    Credential, HttpRefresher, HttpRefresherOptions, MemoryStore, Pool, Secret, SystemClock,
    TokenSource,
};
use kiro_gateway::{Gateway, GatewayOptions};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;

use super::work::Work;
use crate::Failure;

const KEY: &str = "key-of-the-measurement";

/// The one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// [`Gateway::handle`], to the end of the body.
    Gateway,
    /// hyper's connection, driven by the task that reads: nothing can ask for less.
    Hyper,
}

impl Asker {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        [Self::Gateway, Self::Hyper]
            .into_iter()
            .find(|asker| asker.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Hyper => "hyper",
        }
    }

    /// Asks so many times; returns the bytes of the last answer's body.
    ///
    /// # Errors
    ///
    /// An answer is not what it must be.
    pub(super) async fn ask(
        self,
        service: SocketAddr,
        work: Work,
        requests: usize,
    ) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Gateway => through_gateway(service, work, requests).await,
            Self::Hyper => with_hyper(service, work, requests).await,
        }
    }
}

async fn through_gateway(
    service: SocketAddr,
    work: Work,
    requests: usize,
) -> Result<Vec<u8>, Failure> {
    let gateway = gateway(service)?;
    let body = work.body();
    let method = match body {
        Some(_) => Method::POST,
        None => Method::HEAD,
    };
    let body = body.unwrap_or_default();
    let mut last = Vec::new();
    for _ in 0..requests {
        let request = Request::builder()
            .method(method.clone())
            .uri("/v1/chat/completions")
            .header(header::AUTHORIZATION, format!("Bearer {KEY}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.clone()))?;
        let response = gateway.handle(request).await;
        let status = response.status();
        let mut body = response.into_body();
        last.clear();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                last.extend_from_slice(&data);
            }
        }
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(&last);
            return Err(format!("the gateway answers {status}: {text}").into());
        }
    }
    Ok(last)
}

fn gateway(service: SocketAddr) -> Result<Gateway, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    // The service takes any token, and an API key needs no refresh.
    let refresher = HttpRefresher::new(tls.clone(), HttpRefresherOptions::default())?;
    let refresher = Arc::new(refresher);
    let pool_of = move |credential: Credential| {
        let store = Arc::new(MemoryStore::new(credential));
        let clock = Arc::new(SystemClock);
        Pool::new(vec![TokenSource::new(store, refresher.clone(), clock)])
    };
    let own = pool_of(Credential::from_api_key("ksk_of-the-measurement")?);
    let key = Secret::from(KEY);
    let mut options = GatewayOptions::new(key, Some(own), Box::new(pool_of), tls);
    options.upstream.endpoint = Some(format!("http://{service}").parse()?);
    // The service knows one answer.
    options.quota.warn_below = 0.0;
    Ok(Gateway::new(options)?)
}

async fn with_hyper(service: SocketAddr, work: Work, requests: usize) -> Result<Vec<u8>, Failure> {
    let stream = TcpStream::connect(service).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = std::pin::pin!(connection);
    let body = work.body().unwrap_or_default();
    let asking = async {
        let mut last = Vec::new();
        for _ in 0..requests {
            sender.ready().await?;
            let request = Request::post("/").header(header::HOST, "service");
            let request = request.body(Full::<Bytes>::new(body.clone()))?;
            let mut body = sender.send_request(request).await?.into_body();
            last.clear();
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame?.into_data() {
                    last.extend_from_slice(&data);
                }
            }
        }
        Ok(last)
    };
    tokio::select! {
        biased;
        asked = asking => asked,
        _ = &mut connection => Err("the service hung up".into()),
    }
}
