//! `kiro-2api login`: a person signs in, and the gateway has an account.

mod show;
mod way;

use std::process::ExitCode;

use kiro_auth::sign_in::{Directory, Provider, SignIn};
use serde_json::json;

use super::{ConfigFile, Failure};
use crate::in_process::{configuration, log_little};
use crate::present::{say, say_json};
use crate::saved::{Entry, Saved};
use crate::setup;
use way::Way;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Sign in to your organisation's directory (IAM Identity Center): its start URL
    #[arg(long, value_name = "URL", conflicts_with = "social")]
    idc: Option<String>,
    /// The region of that directory
    #[arg(
        long,
        value_name = "REGION",
        requires = "idc",
        default_value = "us-east-1"
    )]
    region: String,
    /// Sign in with an account of Google or GitHub
    #[arg(long, value_enum, value_name = "PROVIDER")]
    social: Option<Social>,
    /// Choose in the browser, for everything else: Okta, Entra, …
    #[arg(long, conflicts_with_all = ["idc", "social"])]
    portal: bool,
    /// What the account is called [default: after the kind of login]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Take the place of the account that has this name
    #[arg(long)]
    replace: bool,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Without an option it is AWS Builder ID. A link and a code are shown; the browser may be on any machine.
With --social and --portal the browser comes back to a port of this machine; where it cannot, because it is on
another one, paste the address that it ends at.

Examples:
  kiro-2api login
  kiro-2api login --idc https://d-1234567890.awsapps.com/start --region eu-west-1
  kiro-2api login --social github
  kiro-2api login --name second";

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Social {
    Google,
    Github,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let source = arguments.file.source();
    log_little(&source);
    let config = configuration(&source)?;
    let saved = Saved::of(&config)?;
    let (way, usual_name) = chosen(&arguments)?;
    let name = arguments.name.as_deref().unwrap_or(usual_name);
    // Nobody signs in twice because of a name.
    saved.check(name, arguments.replace)?;
    let sign_in: SignIn = setup::sign_in(&config)?;
    let terminal = show::Terminal::of(&source);
    let credential = way.go(&sign_in, &terminal).await?;
    let file = saved
        .keep(Entry::named(name), &credential, arguments.replace)
        .await?;
    if arguments.json {
        say_json(&json!({
            "account": name,
            "login": credential.login.to_string(),
            "file": file,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!(
        "Signed in as `{name}` ({}); saved in {}.",
        credential.login,
        file.display()
    ));
    say(
        "The gateway finds it there. Next: `kiro-2api doctor`, `kiro-2api chat` or `kiro-2api serve`.",
    );
    Ok(ExitCode::SUCCESS)
}

/// The way of signing in, and what an account of its kind is called.
fn chosen(arguments: &Arguments) -> Result<(Way, &'static str), Failure> {
    if let Some(url) = &arguments.idc {
        let directory = Directory::identity_center(url, &arguments.region).map_err(|error| {
            format!(
                "{error}; it looks like https://d-1234567890.awsapps.com/start --region eu-west-1"
            )
        })?;
        return Ok((Way::Device(directory), "idc"));
    }
    Ok(match (arguments.social, arguments.portal) {
        (Some(Social::Google), _) => (Way::Social(Provider::Google), "google"),
        (Some(Social::Github), _) => (Way::Social(Provider::Github), "github"),
        (None, true) => (Way::Portal, "kiro"),
        (None, false) => (Way::Device(Directory::builder_id()), "builder-id"),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use kiro_auth::{Credential, Login};

    use super::*;
    use crate::remedy;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn the_remedy_signs_in_in_the_way_that_the_account_has() {
        for login in Login::ALL.iter().copied() {
            let mut credential = Credential::from_refresh_token("refresh-1").unwrap();
            credential.login = login;
            credential.start_url = Some("https://d-1234567890.awsapps.com/start".to_owned());
            credential.auth_region = Some("eu-west-1".to_owned());
            let advice = remedy::again("work", Some(&credential));
            let words = advice.split('`').nth(1).unwrap();
            let Some(options) = words.strip_prefix("kiro-2api login") else {
                assert!(words.starts_with("kiro-2api accounts add work"), "{advice}");
                assert_eq!(login, Login::ApiKey, "{advice}");
                continue;
            };
            let words = std::iter::once("login").chain(options.split_whitespace());
            let Line { arguments } = Line::parse_from(words);
            assert_eq!(arguments.name.as_deref(), Some("work"));
            assert!(arguments.replace);
            let (way, _) = chosen(&arguments).unwrap();
            let fits = match (login, way) {
                (Login::BuilderId | Login::IdentityCenter, Way::Device(directory)) => {
                    directory.login() == login
                }
                (Login::Social, Way::Social(_)) | (Login::ExternalIdp, Way::Portal) => true,
                _ => false,
            };
            assert!(fits, "{advice}");
        }
    }
}
