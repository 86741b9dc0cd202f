//! `kiro-2api chat`: for trying a model, through the gateway and without a port.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;

use http::Method;
use serde_json::{Value, json};

use super::{ConfigFile, Failure, interrupted, interruptible};
use crate::in_process::{InProcess, Own, configuration, error_text, log_little};
use crate::present::{say, say_json};
use crate::reply::{Part, Reply, Usage, question};
use crate::typed;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// The question; without one, a conversation begins
    #[arg(value_name = "QUESTION")]
    question: Vec<String>,
    /// The model to ask
    #[arg(long, short, value_name = "MODEL", default_value = "auto")]
    model: String,
    /// What the model is told before everything else
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The account to ask as [default: any]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Print the answer and what it took as one JSON document
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
What is piped in follows the question. In a conversation Ctrl-C ends the answer, Ctrl-D or /exit the conversation;
/model NAME changes the model, /new forgets what was said.

Examples:
  kiro-2api chat
  kiro-2api chat -m claude-haiku-4.5 \"What is a monad, in one sentence?\"
  git diff | kiro-2api chat \"Write a commit message for this:\"";

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let source = arguments.file.source();
    log_little(&source);
    let mut accounts = InProcess::open(&source, configuration(&source)?).await?;
    let members = accounts.chosen(arguments.account.as_deref())?;
    let chat = Chat {
        gateway: accounts.gateway(&members)?,
        model: arguments.model,
        messages: system(arguments.system.as_deref()),
        prints: !arguments.json,
    };
    let asked = with_piped(&arguments.question.join(" "))?;
    match asked {
        Some(asked) => interruptible(once(chat, asked, arguments.json)).await,
        None if arguments.json => Err("--json is for one question: give it as an argument".into()),
        None => {
            converse(chat, system(arguments.system.as_deref())).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A conversation, as far as it has come.
struct Chat {
    gateway: Own,
    model: String,
    messages: Vec<Value>,
    prints: bool,
}

/// An answer, whole or broken off.
#[derive(Default)]
struct Answer {
    text: String,
    thoughts: String,
    end: Option<String>,
    usage: Option<Usage>,
}

/// The question with what is piped in; `None` where somebody sits at a terminal and has asked nothing yet.
fn with_piped(question: &str) -> Result<Option<String>, Failure> {
    let mut piped = String::new();
    if !io::stdin().is_terminal() {
        io::stdin().read_to_string(&mut piped)?;
    }
    let parts = [question.trim(), piped.trim()];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() && !io::stdin().is_terminal() {
        return Err(
            "nothing was asked: give a question as an argument or on standard input".into(),
        );
    }
    Ok((!parts.is_empty()).then(|| parts.join("\n\n")))
}

async fn once(mut chat: Chat, asked: String, as_json: bool) -> Result<ExitCode, Failure> {
    chat.messages.push(user(&asked));
    let answer = chat.ask().await?;
    if !as_json {
        say("");
        return Ok(ExitCode::SUCCESS);
    }
    let usage = answer.usage.map(|usage| {
        json!({
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "credits_used": usage.credits_used,
        })
    });
    say_json(&json!({
        "model": chat.model,
        "answer": answer.text,
        "thoughts": (!answer.thoughts.is_empty()).then_some(&answer.thoughts),
        "finish_reason": answer.end,
        "usage": usage,
    }))?;
    Ok(ExitCode::SUCCESS)
}

async fn converse(mut chat: Chat, beginning: Vec<Value>) -> Result<(), Failure> {
    say(format_args!(
        "Talking to `{}`. Ctrl-C ends an answer, Ctrl-D the conversation; /help for more.",
        chat.model
    ));
    let mut lines = typed::lines();
    loop {
        print!("\n> ");
        io::stdout().flush()?;
        let line = tokio::select! {
            line = lines.recv() => line,
            () = interrupted() => {
                println!("\n(Ctrl-D or /exit ends the conversation)");
                continue;
            }
        };
        let Some(line) = line else {
            println!();
            return Ok(());
        };
        match line.trim() {
            "" => {}
            "/exit" | "/quit" => return Ok(()),
            "/help" => say(
                "/model NAME  ask another model\n/new         forget what was said\n/exit        end",
            ),
            "/new" => {
                chat.messages.clone_from(&beginning);
                say("What was said is forgotten.");
            }
            command if command.split_whitespace().next() == Some("/model") => {
                chat.change_model(command);
            }
            command if command.starts_with('/') => {
                say(format_args!(
                    "there is no {command}; /help lists what there is"
                ));
            }
            asked => chat.turn(asked).await,
        }
    }
}

impl Chat {
    fn change_model(&mut self, command: &str) {
        match command.trim_start_matches("/model").trim() {
            "" => say(format_args!(
                "The model is `{}`; `kiro-2api models` lists all.",
                self.model
            )),
            model => {
                self.model = model.to_owned();
                say(format_args!("The model is `{model}` now."));
            }
        }
    }

    /// One question and its answer. What goes wrong ends the turn and not the conversation.
    async fn turn(&mut self, asked: &str) {
        self.messages.push(user(asked));
        println!();
        let answered = tokio::select! {
            answered = self.ask() => Some(answered),
            () = interrupted() => None,
        };
        match answered {
            Some(Ok(answer)) => {
                println!("{}", figures(&answer));
                let said = json!({"role": "assistant", "content": answer.text});
                self.messages.push(said);
            }
            Some(Err(error)) => {
                self.messages.pop();
                eprintln!("\nerror: {error}");
            }
            None => {
                self.messages.pop();
                println!("\n(ended; the question and its answer are forgotten)");
            }
        }
    }

    async fn ask(&self) -> Result<Answer, Failure> {
        let body = question(&self.model, &self.messages);
        let path = "/v1/chat/completions";
        let response = self.gateway.ask(Method::POST, path, Some(&body)).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let mut reply = Reply::new(response.into_body());
        let mut answer = Answer::default();
        let shows_thoughts = self.prints && io::stdout().is_terminal();
        while let Some(part) = reply.next().await? {
            match part {
                Part::Text(text) => {
                    if shows_thoughts && answer.text.is_empty() && !answer.thoughts.is_empty() {
                        self.print("\n\n")?;
                    }
                    self.print(&text)?;
                    answer.text += &text;
                }
                Part::Thought(thought) => {
                    if shows_thoughts {
                        self.print(&format!("{DIM}{thought}{PLAIN}"))?;
                    }
                    answer.thoughts += &thought;
                }
                Part::End(reason) => answer.end = Some(reason),
                Part::Usage(usage) => answer.usage = Some(usage),
            }
        }
        Ok(answer)
    }

    fn print(&self, text: &str) -> io::Result<()> {
        if !self.prints {
            return Ok(());
        }
        let mut out = io::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

async fn refusal(response: http::Response<kiro_gateway::Body>) -> Failure {
    use http_body_util::BodyExt as _;
    // The body of a refusal is whole and in memory.
    let body = match response.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(never) => match never {},
    };
    let document = serde_json::from_slice::<Value>(&body);
    document.map_or_else(
        |error| error.into(),
        |document| error_text(&document).into(),
    )
}

fn system(text: Option<&str>) -> Vec<Value> {
    let message = |text: &str| json!({"role": "system", "content": text});
    text.map(message).into_iter().collect()
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn figures(answer: &Answer) -> String {
    let Some(usage) = answer.usage else {
        return String::new();
    };
    let credits = usage.credits_used;
    let credits = credits.map_or(String::new(), |credits| format!(", {credits:.3} credits"));
    format!(
        "\n({} tokens in, {} out{credits})",
        usage.prompt_tokens, usage.completion_tokens
    )
}
