//! Everything in one process: the simulated service, a login there, and the gateway in front of it. It prints a question to
//! ask with curl. `kiro-2api demo` is this with colors.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use std::sync::Arc;

use kiro_auth::{
    Credential, HttpRefresher, HttpRefresherOptions, MemoryStore, Pool, Secret, SystemClock,
    TokenSource,
};
use kiro_examples::{Failure, serve, tls};
use kiro_gateway::{Gateway, GatewayOptions};
use kiro_sim::{Matcher, Script, SimOptions, Simulator};

const KEY: &str = "key-of-the-demonstration";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let service = Simulator::start(SimOptions::default()).await?;
    let words = Script::new().text("Six by nine, ").text("forty-two.");
    service.script(Matcher::any(), words.stop("END_TURN"));
    let endpoint: http::Uri = service.base_url().parse()?;
    let login = service.issue_social();
    let refresh_token = login.refresh_token.ok_or("social logins have one")?;

    let mut options = HttpRefresherOptions::default();
    options.auth_endpoint = Some(endpoint.clone());
    let refresher = Arc::new(HttpRefresher::new(tls(), options)?);
    let pool_of = move |credential: Credential| {
        let store = Arc::new(MemoryStore::new(credential));
        let clock = Arc::new(SystemClock);
        Pool::new(vec![TokenSource::new(store, refresher.clone(), clock)])
    };
    let own = pool_of(Credential::from_refresh_token(refresh_token)?);
    let mut options = GatewayOptions::new(Secret::from(KEY), Some(own), Box::new(pool_of), tls());
    options.upstream.endpoint = Some(endpoint);
    let gateway = Gateway::new(options)?;

    println!("curl $ADDRESS/v1/chat/completions -H 'authorization: Bearer {KEY}' \\");
    println!(
        "  -d '{{\"model\":\"claude-sonnet-4.5\",\"messages\":[{{\"role\":\"user\",\"content\":\"?\"}}]}}'"
    );
    serve(move |request| {
        let gateway = gateway.clone();
        async move { gateway.handle(request).await }
    })
    .await
}
