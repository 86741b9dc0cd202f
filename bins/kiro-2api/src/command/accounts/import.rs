//! `kiro-2api accounts import`: the login of another program, where it is or as a copy.

use std::path::{Path, PathBuf};

use kiro_auth::{
    Clock as _, Credential, CredentialStore as _, Find, SourceKind, SystemClock, discover,
};
use serde_json::json;

use crate::accounts;
use crate::command::{ConfigFile, Failure};
use crate::config::{Config, Source};
use crate::discovery;
use crate::in_process::{configuration, log_little};
use crate::present::{say, say_json};
use crate::saved::{Entry, Saved};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Kiro's JSON file, or the database of kiro-cli or the Amazon Q CLI [default: the best that is found]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Of the logins that are found, the best of this program
    #[arg(long, value_enum, value_name = "PROGRAM", conflicts_with = "file")]
    from: Option<Program>,
    /// Copy the login instead of using it where it is
    #[arg(long)]
    copy: bool,
    /// What the account is called [default: after the program]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    saving: super::Saving,
}

const EXAMPLES: &str = "\
The login is used where it is: gateway and program take turns in refreshing it, and neither signs the other out.
Copy it only if the original will not be used any more.

Examples:
  kiro-2api accounts import
  kiro-2api accounts import --from kiro-cli --name cli
  kiro-2api accounts import ~/backup/kiro-auth-token.json --copy";

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Program {
    KiroIde,
    KiroCli,
    AmazonQ,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::KiroIde => "kiro-ide",
            Self::KiroCli => "kiro-cli",
            Self::AmazonQ => "amazon-q",
        }
    }

    /// Whose a place is; `None` for a file that was named.
    fn of(kind: SourceKind) -> Option<Self> {
        match kind {
            SourceKind::KiroIde => Some(Self::KiroIde),
            SourceKind::KiroCli | SourceKind::KiroCliFile => Some(Self::KiroCli),
            SourceKind::AmazonQ => Some(Self::AmazonQ),
            SourceKind::File => None,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let source = arguments.config.source();
    log_little(&source);
    let config = configuration(&source)?;
    let (file, usual_name) = match &arguments.file {
        Some(file) => (std::path::absolute(file)?, "imported"),
        None => found(&source, &config, arguments.from).await?,
    };
    let name = arguments.name.as_deref().unwrap_or(usual_name);
    let saved = Saved::of(&config)?;
    let entry = arguments.saving.entry(&saved, name)?;
    let credential = read(&file).await?;
    let kept = if arguments.copy {
        let copy = alone(credential.clone());
        saved.keep(entry, &copy, arguments.saving.replace).await?
    } else {
        saved.name(Entry {
            file: file.clone(),
            ..entry
        })?;
        file
    };
    let login = credential.login.to_string();
    if arguments.saving.json {
        return say_json(&json!({
            "account": name,
            "login": login,
            "file": kept,
            "copied": arguments.copy,
        }));
    }
    let how = if arguments.copy {
        "Copied to"
    } else {
        "Used where it is,"
    };
    say(format_args!(
        "`{name}` is an account now ({login}). {how} {}. Try it: kiro-2api accounts test {name}",
        kept.display()
    ));
    Ok(())
}

/// A copy has its client registration in itself.
fn alone(mut credential: Credential) -> Credential {
    if credential.client_secret.is_some() {
        credential.client_id_hash = None;
    }
    credential
}

async fn read(file: &Path) -> Result<Credential, Failure> {
    if !file.is_file() {
        return Err(format!("there is no file {}", file.display()).into());
    }
    Ok(accounts::file_store(file).load().await?)
}

/// The best login of the machine, or of one program on it.
async fn found(
    source: &Source,
    config: &Config,
    from: Option<Program>,
) -> Result<(PathBuf, &'static str), Failure> {
    let discovery = discover(&discovery::places(source, config), SystemClock.now()).await;
    let wanted = |find: &&Find| {
        let program = Program::of(find.place.kind);
        from.is_none_or(|from| program.is_some_and(|program| program.name() == from.name()))
    };
    let best = discovery.chosen().filter(wanted);
    let found = best.or_else(|| discovery.logins().find(wanted));
    let Some(find) = found else {
        let places = discovery.to_string().replace('\n', "\n  ");
        return Err(format!(
            "there is no login to import:\n  {places}\nSign in in that program, name a FILE, or use `kiro-2api login`"
        )
        .into());
    };
    let name = Program::of(find.place.kind).map_or("imported", Program::name);
    Ok((find.place.path.clone(), name))
}
