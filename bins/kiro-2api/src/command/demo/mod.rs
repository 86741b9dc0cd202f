//! `kiro-2api demo`: a simulated Kiro, the gateway before it, and one question through its own API.

mod ask;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use kiro_auth::Secret;
use kiro_sim::{SimOptions, Simulator};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::{Failure, bind};
use crate::config::{Config, StoreKind};
use crate::setup::Surroundings;
use crate::signals::asked_to_stop;
use crate::{logging, options, setup};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address and port to listen on [default: 127.0.0.1:8000, or the next free port]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The key that clients must send [default: a new one]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Ports that are tried one after the other.
const PORTS: std::ops::Range<u16> = 8000..8100;

const QUESTION: &str = "What does a gateway do, in two sentences?";

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let sim = Simulator::start(SimOptions::default()).await?;
    let new_key = || format!("sk-demo-{}", uuid::Uuid::new_v4().simple());
    let key = arguments.key.unwrap_or_else(new_key);
    let config = config(&sim, &key);
    let process = Arc::default();
    logging::init(&config.log, &process);
    let around = Surroundings {
        process,
        ..Surroundings::default()
    };
    let (gateway, _) = setup::gateway(&config, None, around)?;
    let listener = match arguments.listen {
        Some(address) => bind(address, false).await?,
        None => first_free_port().await?,
    };
    let base = format!("http://{}/v1", listener.local_addr()?);
    introduce(&sim, &base, &key);

    let (stop, stopped) = oneshot::channel();
    let options = options::listener(&config)?;
    let served = tokio::spawn(kiro_gateway::serve(listener, gateway, options, async {
        // A dropped sender means the same: stop.
        let _ = stopped.await;
    }));
    tokio::select! {
        asked = ask::stream(&base, &key, QUESTION) => {
            asked?;
            println!("Press Ctrl-C to stop.");
            asked_to_stop(async {}).await;
        }
        () = asked_to_stop(async {}) => {}
    }
    println!("\nDraining …");
    // An error means that the server has stopped already.
    let _ = stop.send(());
    served.await??;
    sim.shutdown().await;
    Ok(())
}

/// The configuration of a gateway whose whole world is the simulator.
fn config(sim: &Simulator, key: &str) -> Config {
    let mut config = Config {
        proxy_api_key: Some(Secret::from(key)),
        refresh_token: sim.issue_social().refresh_token.map(Secret::new),
        ..Config::default()
    };
    // A demo leaves nothing behind.
    config.store.kind = StoreKind::Memory;
    config.upstream.endpoint = Some(sim.base_url());
    config.upstream.auth_endpoint = Some(sim.base_url());
    config.log.level = "warn".into();
    config
}

async fn first_free_port() -> Result<TcpListener, Failure> {
    for port in PORTS {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return Ok(bound?),
        }
    }
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false).await
}

fn introduce(sim: &Simulator, base: &str, key: &str) {
    println!(
        r#"Kiro-2API {version}, in front of a simulated Kiro at {sim}. No account is needed.

Base URL   {base}
API key    {key}

Paste these into another terminal:

curl {base}/models -H 'Authorization: Bearer {key}'

curl {base}/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
  -d '{{"model": "claude-sonnet-4-5", "messages": [{{"role": "user", "content": "Hello!"}}]}}'

curl -N {base}/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \
  -d '{{"model": "claude-sonnet-4-5", "stream": true, "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"#,
        version = env!("CARGO_PKG_VERSION"),
        sim = sim.base_url(),
    );
}
