//! `kiro-2api completions`: what a shell needs to complete our command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  kiro-2api completions bash > ~/.local/share/bash-completion/completions/kiro-2api
  kiro-2api completions zsh > ~/.zfunc/_kiro-2api        (with ~/.zfunc in fpath)
  kiro-2api completions fish > ~/.config/fish/completions/kiro-2api.fish";

pub(crate) fn run(arguments: Arguments) {
    let mut command = crate::Arguments::command();
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "kiro-2api", &mut text);
    crate::present::say(String::from_utf8_lossy(&text).trim_end());
}
