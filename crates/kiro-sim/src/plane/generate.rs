//! Inference: check, choose an answer, stream it.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use kiro_protocol::Generation;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::caller::{Caller, authenticate};
use crate::answer;
use crate::catalog::Model;
use crate::operation::Operation;
use crate::record::Ended;
use crate::refusal::{Refusal, whole_seconds};
use crate::script::CurrentTurn;
use crate::service::{Call, Ending, Outcome};
use crate::state::{Inner, StreamGuard};
use crate::stream::{Answer, Plan, ReplyContext, SimBody, plan, stream_body, whole_body};
use crate::validate::{Rules, Strictness, bad_signature, signed_reasoning, validate};
use crate::{Segmentation, tokens};

/// What `auto` chooses.
const AUTO: &str = "claude-sonnet-4.5";

pub(super) async fn serve(call: &Call) -> Outcome {
    let caller = authenticate(call)?;
    let generation = call.generation.unwrap_or(Generation::Rest);
    let body = parse(call, generation)?;
    check(call, &caller, generation, &body)?;
    let model = model_of(call, &body)?;
    let input_tokens = tokens::count(&body);
    if input_tokens > model.max_input_tokens() {
        return Err(overflow(generation, input_tokens, &model).into());
    }
    admit(call, &caller, &model)?;
    let guard = StreamGuard::open(&call.shared, call.number, model.id());
    let plan = choose(call, &caller, generation, &body, &model, input_tokens);
    perform(call, generation, &body, plan, guard).await
}

fn parse(call: &Call, generation: Generation) -> Result<Value, Refusal> {
    if call.shared.options.rest_path_refused && generation == Generation::Rest {
        return Err(improper("E3").detailed("the REST path is switched off"));
    }
    if call
        .shared
        .options
        .practical_body_limit
        .is_some_and(|limit| call.body.len() > limit)
    {
        let detail = format!("{} bytes are above the practical limit", call.body.len());
        return Err(improper("E3").detailed(detail));
    }
    serde_json::from_slice(&call.body).map_err(|error| {
        improper("JSON")
            .because("REQUEST_BODY_INVALID_JSON")
            .detailed(error.to_string())
    })
}

fn check(
    call: &Call,
    caller: &Caller,
    generation: Generation,
    body: &Value,
) -> Result<(), Refusal> {
    let options = &call.shared.options;
    let mut rules = Rules::strict(generation);
    rules.strictness = options.strictness;
    rules.send_message = call.operation == Operation::SendMessage;
    rules.catalog = Some(options.catalog.clone());
    rules.holder = Some(caller.holder.clone());
    // Some clients send the profile as a header, the REST binding of the member.
    let by_header = call.head.headers.get("x-amzn-kiro-profile-arn");
    match by_header.and_then(|value| value.to_str().ok()) {
        Some(arn) if body.get("profileArn").is_none() => {
            crate::validate::check_profile(Some(arn), &caller.holder)?;
            rules.holder = None;
        }
        _ => {}
    }
    validate(body, &rules)?;
    if options.strictness == Strictness::Strict {
        let inner = call.shared.look();
        for (text, signature) in signed_reasoning(body) {
            if !inner.has_signed(text, signature) {
                let detail = "reasoning that this service never gave, or that was changed";
                return Err(bad_signature(detail.to_owned()).into());
            }
        }
    }
    Ok(())
}

/// The model that really answers.
fn model_of(call: &Call, body: &Value) -> Result<Model, Refusal> {
    let message = body.pointer("/conversationState/currentMessage/userInputMessage");
    let id = message
        .and_then(|message| message.get("modelId"))
        .and_then(Value::as_str);
    let catalog = &call.shared.options.catalog;
    let model = match id.unwrap_or("auto") {
        "auto" => catalog.find(AUTO).or_else(|| catalog.models().first()),
        id => catalog.find(id),
    };
    // `validate` has found the model; only an empty catalogue has none for `auto`.
    model
        .cloned()
        .ok_or_else(|| improper("E2").because("INVALID_MODEL_ID"))
}

/// Limits of the account and of the model.
fn admit(call: &Call, caller: &Caller, model: &Model) -> Result<(), Refusal> {
    let options = &call.shared.options;
    let now = Instant::now();
    call.shared.change(|inner| {
        check_rate(inner, caller, options.calls_per_minute, now)?;
        if options
            .model_capacity
            .is_some_and(|most| inner.open_streams_of(model.id()) >= most)
        {
            let message = "I am experiencing high traffic, please try again shortly.";
            return Err(Refusal::new("E21", 429, "ThrottlingException", message)
                .because("INSUFFICIENT_MODEL_CAPACITY"));
        }
        if inner.accounts.account(caller.account).credits_used >= options.credit_quota {
            let message = "You have reached the limit.";
            return Err(
                Refusal::new("E12", 402, "ServiceQuotaExceededException", message)
                    .because("MONTHLY_REQUEST_COUNT"),
            );
        }
        Ok(())
    })
}

fn check_rate(
    inner: &mut Inner,
    caller: &Caller,
    most: Option<usize>,
    now: Instant,
) -> Result<(), Refusal> {
    let Some(most) = most else {
        return Ok(());
    };
    const MINUTE: Duration = Duration::from_secs(60);
    let recent = &mut inner.accounts.account_mut(caller.account).recent_calls;
    while recent
        .front()
        .is_some_and(|at| now.duration_since(*at) >= MINUTE)
    {
        recent.pop_front();
    }
    if recent.len() < most {
        recent.push_back(now);
        return Ok(());
    }
    let oldest = recent.front().copied().unwrap_or(now);
    let message = "Too many requests, please wait before trying again.";
    Err(Refusal::new("E22", 429, "ThrottlingException", message)
        .because("USER_REQUEST_RATE_EXCEEDED")
        .retry_after(MINUTE.saturating_sub(now.duration_since(oldest))))
}

fn choose(
    call: &Call,
    caller: &Caller,
    generation: Generation,
    body: &Value,
    model: &Model,
    input_tokens: u64,
) -> Plan {
    // The body has been parsed as JSON, which is UTF-8.
    let text = std::str::from_utf8(&call.body).unwrap_or_default();
    let mut turn = CurrentTurn::of(body, text);
    turn.account = Some(caller.account);
    turn.generation = Some(generation);
    let conversation = body
        .pointer("/conversationState/conversationId")
        .and_then(Value::as_str);
    call.shared.change(|inner| {
        let script = inner
            .script_for(&turn)
            .unwrap_or_else(|| answer::script(&turn, model, call.shared.options.word_pause));
        let random = crate::random::Random::new(inner.random.next_u64());
        let context = ReplyContext {
            generation,
            model,
            input_tokens,
            conversation_id: conversation.unwrap_or_default(),
            random,
        };
        let mut plan = plan(&script, context);
        inner.remember_signatures(std::mem::take(&mut plan.signed));
        inner.accounts.account_mut(caller.account).credits_used += plan.credits;
        plan
    })
}

async fn perform(
    call: &Call,
    generation: Generation,
    body: &Value,
    plan: Plan,
    mut guard: StreamGuard,
) -> Outcome {
    // A sleep of nothing would still wait for the next tick of the timer, a millisecond away.
    if !plan.delay.is_zero() {
        sleep(plan.delay).await;
    }
    match plan.answer {
        Answer::Hang => std::future::pending().await,
        Answer::Close => {
            guard.end(Ended::Broken);
            Err(Ending::Broken)
        }
        Answer::Whole {
            status,
            content_type,
            body,
            retry_after,
        } => {
            guard.end(Ended::Completed);
            Ok(whole(status, content_type, body, retry_after))
        }
        Answer::Stream { actions, segments } => {
            let segmentation =
                segments.map_or(call.shared.options.segmentation, Segmentation::Bytes);
            let stream = stream_body(actions, segmentation, call.line.clone(), guard);
            Ok(stream_response(stream, generation, body))
        }
    }
}

fn stream_response(stream: SimBody, generation: Generation, body: &Value) -> Response<SimBody> {
    let mut response = Response::new(stream);
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/vnd.amazon.eventstream");
    headers.insert(CONTENT_TYPE, content_type);
    let name = match generation {
        Generation::Krs => "x-amzn-kiro-conversation-id",
        _ => "x-amzn-codewhisperer-conversation-id",
    };
    let id = body
        .pointer("/conversationState/conversationId")
        .and_then(Value::as_str);
    if let Some(id) = id.and_then(|id| id.parse().ok()) {
        headers.insert(name, id);
    }
    response
}

fn whole(
    status: u16,
    content_type: &'static str,
    body: bytes::Bytes,
    retry_after: Option<Duration>,
) -> Response<SimBody> {
    let mut response = Response::new(whole_body(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(after) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
    }
    response
}

fn improper(rule: &'static str) -> Refusal {
    Refusal::new(
        rule,
        400,
        "ValidationException",
        "Improperly formed request.",
    )
    .because("REQUEST_BODY_INVALID")
}

fn overflow(generation: Generation, tokens: u64, model: &Model) -> Refusal {
    let (message, reason) = match generation {
        Generation::Krs => ("Prompt is too long", "PROMPT_TOO_LONG"),
        _ => ("Input is too long.", "CONTENT_LENGTH_EXCEEDS_THRESHOLD"),
    };
    let window = model.max_input_tokens();
    Refusal::new("E1", 400, "ValidationException", message)
        .because(reason)
        .detailed(format!("{tokens} tokens do not fit a window of {window}"))
}
