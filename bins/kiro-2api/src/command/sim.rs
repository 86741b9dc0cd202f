//! `kiro-2api sim`: the simulated Kiro service alone.

use std::net::SocketAddr;
use std::sync::Arc;

use kiro_sim::{SimOptions, Simulator};

use super::Failure;
use crate::config::Log;
use crate::logging;
use crate::signals::asked_to_stop;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Where ids and tokens come from: the same number gives the same ones [default: at random]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    logging::init(&Log::default(), &Arc::default());
    let mut options = SimOptions::default();
    options.listen = arguments.listen;
    // With the same tokens in each run, a gateway would find what an earlier one had rotated.
    options.seed = arguments
        .seed
        .unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let sim = Simulator::start(options).await?;
    // Social logins always come with a refresh token.
    let token = sim.issue_social().refresh_token.unwrap_or_default();
    println!("The simulated Kiro service listens on {}", sim.base_url());
    println!("It stands in for all API hosts and all sign-in hosts. A login of its own, to paste:");
    println!();
    println!(
        "export KIRO_2API_UPSTREAM__ENDPOINT={0} KIRO_2API_UPSTREAM__AUTH_ENDPOINT={0}",
        sim.base_url()
    );
    println!("export REFRESH_TOKEN='{token}'");
    println!();
    println!("What it received: curl {}/__sim/requests", sim.base_url());
    asked_to_stop(async {}).await;
    sim.shutdown().await;
    Ok(())
}
