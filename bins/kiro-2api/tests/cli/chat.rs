//! `kiro-2api chat`, once and in a conversation.

use kiro_sim::Operation;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_and_what_is_piped_follows_it() {
    let (user, _) = User::with_account("work").await;
    let text = user.run(&["chat", "sim:echo", "Good", "day."]).ends_well();
    assert_eq!(text.trim(), "Good day.");
    let text = user
        .run_with(&["chat"], "sim:echo From a pipe.")
        .ends_well();
    assert_eq!(text.trim(), "From a pipe.");
    user.run_with(&["chat", "Explain this:"], "fn main() {}")
        .ends_well();
    let asked = user.sim.requests_for(Operation::Generate);
    let body = String::from_utf8_lossy(&asked.last().unwrap().body).into_owned();
    assert!(body.contains("Explain this:\\n\\nfn main() {}"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_one_document_where_that_is_wanted() {
    let (user, _) = User::with_account("work").await;
    let arguments = ["chat", "--json", "-m", "claude-haiku-4.5", "sim:echo Yes."];
    let document = user.run(&arguments).json();
    assert_eq!(document["answer"], "Yes.");
    assert_eq!(document["model"], "claude-haiku-4.5");
    assert_eq!(document["finish_reason"], "stop");
    assert!(document["usage"]["prompt_tokens"].as_u64().unwrap() > 0);
    let document = user.run(&["chat", "--json", "sim:reasoning Why?"]).json();
    assert!(document["thoughts"].is_string(), "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_said_with_what_to_do() {
    let user = User::new().await;
    user.run(&["chat", "Hi"]).fails_with("kiro-2api login");
    let (user, issued) = User::with_account("work").await;
    user.run(&["chat"]).fails_with("nothing was asked");
    let model = ["chat", "-m", "no-such-model", "Hi"];
    user.run(&model).fails_with("no-such-model");
    user.run(&["chat", "--account", "other", "Hi"])
        .fails_with("there is no account `other`; there is work");
    user.run(&["chat", "sim:error=500"]).fails_with("error");
    user.sim.revoke(issued.account);
    user.sim.expire_access_tokens();
    user.run(&["chat", "Hi"])
        .hides(&secrets_of(&issued))
        .fails_with("error");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_needed_and_no_limit_of_callers_counts() {
    let (user, _) = User::with_account("work").await;
    let user = user
        .without("PROXY_API_KEY")
        .with("KIRO_2API_LIMITS__REQUESTS_PER_MINUTE", "1");
    for _ in 0..2 {
        user.run(&["chat", "Hi"]).ends_well();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_remembers_and_forgets_and_changes_its_model() {
    let (user, _) = User::with_account("work").await;
    let mut terminal = user.terminal(&["chat", "--system", "Be kind."]);
    terminal.exp_string("Talking to `auto`").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send_line("sim:echo The first answer.").unwrap();
    terminal.exp_string("The first answer.").unwrap();
    terminal.exp_regex("[0-9]+ tokens in, [0-9]+ out").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send_line("/model claude-haiku-4.5").unwrap();
    terminal.exp_string("is `claude-haiku-4.5` now").unwrap();
    terminal.send_line("sim:echo The second answer.").unwrap();
    terminal.exp_string("The second answer.").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send_line("/new").unwrap();
    terminal.exp_string("forgotten").unwrap();
    terminal.send_line("sim:echo The third answer.").unwrap();
    terminal.exp_string("The third answer.").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send_line("/nonsense").unwrap();
    terminal.exp_string("/help").unwrap();
    terminal.send_control('d').unwrap();
    terminal.exp_eof().unwrap();

    let asked = user.sim.requests_for(Operation::Generate);
    let bodies: Vec<String> = asked
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    assert!(bodies.iter().all(|body| body.contains("Be kind.")));
    assert!(bodies[1].contains("The first answer.") && bodies[1].contains("claude-haiku-4.5"));
    assert!(!bodies[2].contains("The first answer."), "{}", bodies[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_answer_and_not_the_program() {
    let (user, _) = User::with_account("work").await;
    let mut terminal = user.terminal(&["chat"]);
    terminal.exp_string("> ").unwrap();
    // At the prompt it says how to leave.
    terminal.send_control('c').unwrap();
    terminal.exp_string("/exit ends the conversation").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal
        .send_line("sim:hang sim:after=2 Tell me a story")
        .unwrap();
    terminal.exp_string("You asked").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("(ended;").unwrap();
    terminal.exp_string("> ").unwrap();
    // An error ends the turn only, too.
    terminal.send_line("sim:error=400").unwrap();
    terminal.exp_string("error:").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send_line("sim:echo Still here.").unwrap();
    terminal.exp_string("Still here.").unwrap();
    terminal.exp_string("> ").unwrap();
    terminal.send_line("/exit").unwrap();
    terminal.exp_eof().unwrap();
}
