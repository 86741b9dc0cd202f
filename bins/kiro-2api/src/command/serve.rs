//! `kiro-2api serve`: the gateway with your login.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Failure, asked_to_stop, bind};
use crate::config::{Config, Source};
use crate::{logging, setup};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address and port to listen on [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Configuration file [default: kiro-2api.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = Config::load(&Source::of_process(arguments.config, arguments.listen))?;
    logging::init(&config.log);
    let gateway = setup::gateway(&config)?;
    let listener = bind(config.server.listen).await?;
    let address = listener.local_addr()?;
    println!(
        "Kiro-2API {} listens on http://{address}",
        env!("CARGO_PKG_VERSION")
    );
    match config.accounts().count() {
        0 => println!(
            "Tenant-only mode: there is neither REFRESH_TOKEN nor KIRO_CREDS_FILE nor an [[account]], so every caller must send `Authorization: Bearer PROXY_API_KEY:REFRESH_TOKEN`."
        ),
        n => println!(
            "Serving with {n} account{} of its own.",
            if n == 1 { "" } else { "s" }
        ),
    }
    println!("Base URL for clients: http://{address}/v1");
    kiro_gateway::serve(listener, gateway, config.server_options(), asked_to_stop()).await?;
    Ok(())
}
