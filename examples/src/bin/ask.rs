//! Asks one question and prints the answer as it streams in: `REFRESH_TOKEN=… ask "What is a CRC?"`.
//!
//! `KIRO_ENDPOINT` replaces all hosts, for a simulator.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]
#![allow(clippy::disallowed_methods, reason = "a program reads its environment")]

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use kiro_auth::{
    ApiHost, Credential, HttpRefresher, HttpRefresherOptions, MemoryStore, SystemClock, TokenSource,
};
use kiro_protocol::conversation::{Block, Conversation, Role, Turn};
use kiro_protocol::reply::{ReplyDecoder, ReplyEvent};
use kiro_protocol::request::{KRS_IDE, PrepareOptions, Region, Target, build, prepare};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let question = std::env::args().nth(1).ok_or("usage: ask QUESTION")?;
    let endpoint = std::env::var("KIRO_ENDPOINT").ok();
    let endpoint = endpoint.map(|address| address.parse()).transpose()?;
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();

    // kiro-auth: a refresh token becomes an access token, now and whenever it expires.
    let credential = Credential::from_refresh_token(std::env::var("REFRESH_TOKEN")?)?;
    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint.clone_from(&endpoint);
    let refresher = Arc::new(HttpRefresher::new(tls.clone(), options)?);
    let store = Arc::new(MemoryStore::new(credential));
    let token = TokenSource::new(store, refresher, Arc::new(SystemClock))
        .token()
        .await?;

    // kiro-protocol: a conversation becomes a request.
    let mut conversation = Conversation::new("claude-sonnet-4.5");
    conversation.turns.push(Turn::new(
        Role::User,
        [Block::Text(question.as_str().into())],
    ));
    let prepared = prepare(&conversation, &PrepareOptions::new(b""));
    let base = match endpoint {
        Some(endpoint) => endpoint,
        None => KRS_IDE.base(&Region::new(token.api_region())?)?,
    };
    let mut target = Target::new(&KRS_IDE, &base, token.secret().expose());
    target.profile_arn = token.profile_arn_for(ApiHost::Runtime);
    target.token_type = token.token_type();
    target.user_agent = "ask/1.0";
    let request = build(&prepared, &target)?.map(Full::new);

    // hyper: the request goes out and bytes come back.
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    let response = Client::builder(TokioExecutor::new())
        .build(connector)
        .request(request)
        .await?;
    if !response.status().is_success() {
        return Err(format!("Kiro answered {}", response.status()).into());
    }
    let mut body = response.into_body();
    let mut reply = ReplyDecoder::new(KRS_IDE.generation);
    loop {
        match body.frame().await.transpose()? {
            Some(frame) => frame
                .into_data()
                .into_iter()
                .for_each(|segment| reply.push(segment)),
            None => reply.finish()?,
        }
        while let Some(event) = reply.next_event()? {
            match event {
                ReplyEvent::Text(delta) => print!("{}", delta.unescape()),
                ReplyEvent::Stop(_) => {
                    println!();
                    return Ok(());
                }
                _ => {}
            }
            std::io::stdout().flush()?;
        }
    }
}
