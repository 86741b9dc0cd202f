//! One exchange from admit to settle, read top to bottom.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use kiro_auth::CredentialId;
use kiro_protocol::reply::ReplyEvent;
use tokio::time::Instant;

use crate::admission::Pass;
use crate::body::{self, Body, DynError};
use crate::capture::Tape;
use crate::clock;
use crate::deadline::{Deadlines, Wish};
use crate::error::{Error, ErrorKind};
use crate::image::Pictures;
use crate::job::Job;
use crate::kept::Recalled;
use crate::quota;
use crate::relay::{Opening, Relay, Reply, Silence, drained, shutting_down, stalled, too_slow};
use crate::response::in_one_line;
use crate::search::{self, Event};
use crate::shared::Shared;
use crate::surface::metered::Metered;
use crate::surface::{Accepted, Context, FOREIGN_THOUGHTS, Mode, ReplyEncoder, Surface};
use crate::telemetry::{Ending, Reason, Record, Trace};
use crate::tenant::{self, Tenant};
use crate::usage::Meter;

/// An exchange on its way back.
struct Served {
    reply: Reply,
    mode: Mode,
    deadlines: Deadlines,
    encoder: Box<dyn ReplyEncoder>,
    tenant: Arc<Tenant>,
    pass: Pass,
    ignored: Vec<&'static str>,
}

/// The price of a whole answer in the service's credits.
const CREDITS: HeaderName = HeaderName::from_static("x-kiro-credits");

/// Serves one request on a surface.
///
/// # Errors
///
/// Whatever went wrong before the commit point; after it, errors are in the stream.
///
/// # Cancel safety
///
/// Dropping the future, or later the body of the response, closes the upstream connection. Nothing is
/// spawned that could outlive it.
pub(crate) async fn run<B>(
    shared: &Arc<Shared>,
    surface: &'static dyn Surface,
    id: &str,
    request: Request<B>,
    tape: &Tape,
) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<DynError>,
{
    let (method, path) = (request.method(), request.uri().path());
    let otel = shared.counters.otel.as_ref();
    let trace = Trace::begin(otel, method, path, request.headers(), id);
    let mut record = Record::begin(&shared.counters, surface.name(), id, tape, trace);
    tape.asked(id, &request);
    let answered = match shared.tenants.admit(request.headers()) {
        Err(error) => Err(error),
        Ok(tenant) => {
            record.admitted(&tenant);
            tape.admitted(&tenant, || tenant::sent_secrets(request.headers()));
            let answered = match serve(shared, surface, id, request, &tenant, &mut record).await {
                Ok(served) if served.mode == Mode::Stream => {
                    let response = stream(shared, surface, served, record);
                    return tell_limits(surface, &tenant, Ok(response));
                }
                Ok(served) => complete(shared, surface, served, &mut record).await,
                Err(error) => Err(error),
            };
            tell_limits(surface, &tenant, answered)
        }
    };
    match &answered {
        Ok(response) => {
            record.committed(response.status());
            record.end(Ending::Complete);
        }
        Err(error) => {
            record.committed(surface.status(error));
            record.fail(error);
        }
    }
    answered
}

/// Says what is left of the caller's limits, if they have any.
fn tell_limits(
    surface: &'static dyn Surface,
    tenant: &Tenant,
    answered: Result<Response<Body>, Error>,
) -> Result<Response<Body>, Error> {
    let standing = tenant.gates.standing();
    let now = clock::seconds_since_epoch();
    match answered {
        Ok(mut response) => {
            surface.tell_limits(&standing, now, response.headers_mut());
            Ok(response)
        }
        Err(error) => {
            let mut headers = HeaderMap::new();
            surface.tell_limits(&standing, now, &mut headers);
            Err(error.with_headers(headers))
        }
    }
}

/// Let in, accept, lease and send: everything before the commit point.
async fn serve<B>(
    shared: &Arc<Shared>,
    surface: &'static dyn Surface,
    id: &str,
    request: Request<B>,
    tenant: &Arc<Tenant>,
    record: &mut Record,
) -> Result<Served, Error>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<DynError>,
{
    let (head, body) = request.into_parts();
    let wish = Wish::read(&head.headers)?;
    // Who is over a limit of their own takes nothing from the others.
    let mut pass = record.let_in(Reason::Limit, tenant.gates.enter().await)?;
    pass.hold(record.let_in(Reason::Exchanges, shared.admission.enter().await)?);
    record.let_in(Reason::Memory, shared.spare_memory())?;
    let memory = &shared.admission.memory;
    let (limit, time) = (shared.max_body, shared.timeouts.body);
    let read = body::read(&head.headers, body, limit, time, memory).await;
    let (body, held) = record.let_in(Reason::Memory, read)?;
    record.tape.received(&body);
    let accepted = accept(shared, surface, id, body, tenant).await?;
    if shared.refuse_ignored {
        refuse_ignored(&accepted.ignored)?;
    }
    let Accepted {
        conversation,
        prompt,
        bounds,
        search,
        mode,
        encoder,
        ignored,
        wanted: _,
    } = accepted;
    let is_stream = mode == Mode::Stream;
    record.accepted(&conversation.model, is_stream);
    let deadlines = shared.deadlines(&conversation.model, is_stream, &wish);
    let window = tenant.catalog.current().context_window(&conversation.model);
    let counted = pass.prompt(&prompt, &conversation.model, window).await;
    record.let_in(Reason::Limit, counted)?;
    let meter = || Meter::new(prompt.clone(), &conversation.model, window).roughly();
    let encoder = Metered::where_needed(encoder, meter);

    let opening: Opening = {
        let job = Job {
            shared: shared.clone(),
            tenant: tenant.clone(),
            prompt,
            bounds,
            deadlines,
            tape: record.tape.clone(),
            attempts: record.attempts.clone(),
        };
        Box::pin(async move {
            let opened = search::open(job, conversation, search).await;
            // The conversation is gone, unless it goes on with searches.
            opened.map(|reply| reply.holding(held))
        })
    };
    let reply = match mode {
        Mode::Complete => Reply::Opening(opening),
        Mode::Stream => open_patiently(shared, opening).await?,
    };
    Ok(Served {
        reply,
        mode,
        deadlines,
        encoder,
        tenant: tenant.clone(),
        pass,
        ignored,
    })
}

/// Where the operator would rather have an error than an answer to another question.
fn refuse_ignored(ignored: &[&'static str]) -> Result<(), Error> {
    let ignored = ignored.iter().copied();
    let ignored: Vec<&str> = ignored.filter(|name| *name != FOREIGN_THOUGHTS).collect();
    let Some(first) = ignored.first() else {
        return Ok(());
    };
    let message = format!(
        "Unsupported parameter: '{}' would have no effect here, and this gateway is set to refuse such requests.",
        ignored.join("', '")
    );
    Err(Error::invalid(
        *first,
        Some("unsupported_parameter"),
        message,
    ))
}

/// Decodes the request with what it builds on, and once more with the pictures that it names by URL.
async fn accept(
    shared: &Shared,
    surface: &'static dyn Surface,
    id: &str,
    body: Bytes,
    tenant: &Tenant,
) -> Result<Accepted, Error> {
    let recall = surface.recalls(&body);
    let recalled = shared
        .keeper
        .recall(&tenant.owner, &recall, body.len())
        .await?;
    let none_yet = shared.images.none_yet(tenant);
    let mut accepted = decode(
        shared,
        surface,
        id,
        body.clone(),
        tenant,
        &none_yet,
        &recalled,
    )
    .await?;
    if !accepted.wanted.is_empty() {
        let fetched = shared.images.fetch(&accepted.wanted).await?;
        accepted = decode(shared, surface, id, body, tenant, &fetched, &recalled).await?;
    }
    accepted.conversation = shared.images.fit(accepted.conversation).await?;
    Ok(accepted)
}

/// Decodes the request. A model that is not in the list is looked for once more in a fresh one.
async fn decode(
    shared: &Shared,
    surface: &'static dyn Surface,
    id: &str,
    body: Bytes,
    tenant: &Tenant,
    pictures: &Pictures,
    recalled: &Recalled,
) -> Result<Accepted, Error> {
    let now = clock::seconds_since_epoch();
    let context = |models, is_final| Context {
        models,
        pictures,
        recalled,
        now,
        request_id: id,
        is_final,
        reasoning: shared.reasoning,
        salt: &tenant.salt,
    };
    let is_final = !tenant.catalog.is_due();
    let known = tenant.catalog.current();
    let accepted = surface.accept(body.clone(), &context(&known, is_final));
    match accepted {
        Err(error) if error.kind() == ErrorKind::ModelNotFound => {}
        accepted => return accepted,
    }
    let fresh = tenant.catalog.fresh(|| shared.upstream.list_models(tenant));
    let fresh = fresh.await;
    surface.accept(body, &context(&fresh, true))
}

/// Waits for the first event, so that a refusal is a proper HTTP error and a retry is invisible; but not
/// for ever, because some clients hang up on silence. After the patience the head is sent and the
/// attempts go on behind it.
async fn open_patiently(shared: &Shared, mut opening: Opening) -> Result<Reply, Error> {
    match tokio::time::timeout(shared.timeouts.patience, &mut opening).await {
        Ok(opened) => Ok(Reply::Open(opened?)),
        Err(_) => Ok(Reply::Opening(opening)),
    }
}

/// Commits and relays.
fn stream(
    shared: &Arc<Shared>,
    surface: &dyn Surface,
    served: Served,
    mut record: Record,
) -> Response<Body> {
    record.committed(http::StatusCode::OK);
    let Served {
        reply,
        encoder,
        tenant,
        pass,
        ignored,
        deadlines,
        ..
    } = served;
    let (warning, credential) = match &reply {
        Reply::Open(reply) => (reply.warning(), reply.credential()),
        // The head goes downstream before it is known.
        Reply::Opening(_) => (None, None),
    };
    let silence = Silence::new(shared.timeouts.keep_alive, deadlines);
    let drain = shared.drain.subscribe();
    let mut relay = Relay::new(reply, encoder, silence, drain, record, pass);
    relay.keep_in(shared.keeper.clone(), tenant.owner.clone());
    let mut response = Response::new(relay.into_body());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, surface.content_type(Mode::Stream));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // nginx and its relatives hold a stream back unless told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    name_ignored(headers, &ignored);
    name_warning(headers, warning);
    quota::tell(shared, &tenant, credential, headers);
    response
}

/// Collects the whole reply; an error in the middle is still a proper HTTP error.
async fn complete(
    shared: &Arc<Shared>,
    surface: &dyn Surface,
    served: Served,
    record: &mut Record,
) -> Result<Response<Body>, Error> {
    let Served {
        reply,
        deadlines,
        encoder,
        tenant,
        mut pass,
        ignored,
        ..
    } = served;
    let gap = deadlines.gap;
    let collecting = collect(shared, &tenant, encoder, reply, gap, record, &mut pass);
    let time = deadlines.total.unwrap_or(shared.timeouts.total);
    let collected = tokio::select! {
        collected = tokio::time::timeout(time, collecting) => {
            collected.unwrap_or_else(|_| Err(too_slow(time)))
        }
        () = drained(shared.drain.subscribe()) => Err(shutting_down()),
    };
    let (out, extra) = collected?;
    let mut response = Response::new(body::full(in_one_line(out.freeze())));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, surface.content_type(Mode::Complete));
    name_ignored(headers, &ignored);
    name_warning(headers, extra.warning);
    quota::tell(shared, &tenant, extra.credential, headers);
    if let Some(credits) = extra.credits {
        // The text of a number is plain ASCII, so this cannot fail.
        let credits = HeaderValue::from_str(&credits.to_string());
        headers.extend(credits.ok().map(|credits| (CREDITS, credits)));
    }
    Ok(response)
}

/// What the headers of a document say of it.
struct Extra {
    /// Its price in credits, if the service tells it.
    credits: Option<f64>,
    /// What it does not keep of what was asked for.
    warning: Option<&'static str>,
    /// The credential that it was given to.
    credential: Option<CredentialId>,
}

/// The document, and what its headers say.
async fn collect(
    shared: &Shared,
    tenant: &Tenant,
    mut encoder: Box<dyn ReplyEncoder>,
    reply: Reply,
    gap: Duration,
    record: &mut Record,
    pass: &mut Pass,
) -> Result<(BytesMut, Extra), Error> {
    let mut out = BytesMut::new();
    let mut credits = None;
    let mut reply = match reply {
        Reply::Opening(opening) => opening.await?,
        Reply::Open(reply) => reply,
    };
    let is_limited = reply.has_own_limits();
    loop {
        let next = std::future::poll_fn(|cx| reply.poll_event(cx));
        let event = match is_limited {
            true => next.await,
            false => tokio::time::timeout(gap, next)
                .await
                .unwrap_or_else(|_| Err(stalled(gap))),
        };
        match event? {
            Some(event) => {
                record.event(Instant::now());
                pass.observe(&event);
                if let Event::Reply(ReplyEvent::Usage(usage)) = &event {
                    credits = usage.credits.filter(|credits| credits.is_finite());
                }
                reply.tell(event, &mut *encoder, &mut out);
            }
            None => {
                shared.keeper.keep(&tenant.owner, &mut *encoder).await;
                encoder.finish(&mut out);
                record.consumed(encoder.consumed());
                let extra = Extra {
                    credits,
                    warning: reply.warning(),
                    credential: reply.credential(),
                };
                return Ok((out, extra));
            }
        }
    }
}

/// Says which fields had no effect, so that the silence can be discovered.
fn name_ignored(headers: &mut HeaderMap, ignored: &[&'static str]) {
    if ignored.is_empty() {
        return;
    }
    // The names are ours and plain ASCII, so this cannot fail.
    if let Ok(names) = HeaderValue::from_str(&ignored.join(", ")) {
        headers.insert("x-gateway-ignored", names);
    }
}

/// Says what the answer does not keep although it was asked for.
fn name_warning(headers: &mut HeaderMap, warning: Option<&'static str>) {
    if let Some(warning) = warning {
        headers.insert("x-gateway-warning", HeaderValue::from_static(warning));
    }
}
