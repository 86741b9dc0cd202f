//! Public model names and what they are called upstream.
//!
//! A seed list works without the network; the live catalogue of a credential is laid over it. Names
//! come dotted, dashed, dated, prefixed or in upper case: all of them are brought to one canonical form
//! before they are compared. The operator's own names go before all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use kiro_protocol::conversation::Effort;
use kiro_protocol::request::{Capabilities, Thinking};
use kiro_protocol::rpc::{InputType, ModelInfo};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};

/// How long a live catalogue is believed. Others refresh it every 5 minutes to 12 hours.
pub(crate) const LIVE_FOR: Duration = Duration::from_secs(3600);

/// How long a failed fetch is left alone before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What the operator wants of model names.
///
/// ```
/// let mut options = kiro_gateway::ModelOptions::default();
/// options.aliases.insert("gpt-4o".into(), "claude-sonnet-4.5".into());
/// options.fallback = Some("claude-haiku-4.5".into());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ModelOptions {
    /// More names, and which model each of them means, in any spelling. They are listed, and go before the
    /// names that we know. An alias of an alias means nothing.
    pub aliases: BTreeMap<String, String>,
    /// The model that serves names which nobody knows. `None` refuses them.
    pub fallback: Option<String>,
    /// Models that are not listed although they work: by a name in the list, or by Kiro's id for all names
    /// of a model.
    pub hidden: Vec<String>,
}

/// One model as we offer it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Model {
    /// The name we list.
    pub(crate) name: String,
    /// Kiro's id.
    pub(crate) id: String,
    /// A name for people.
    pub(crate) title: String,
    /// Seconds since the epoch.
    pub(crate) created: u64,
    /// Tokens that fit into the context, output included.
    pub(crate) context_window: u32,
    /// Most tokens of one answer.
    pub(crate) max_output_tokens: u32,
    /// What the live catalogue says of it.
    pub(crate) info: Option<ModelInfo>,
}

/// The models that a credential may use, in the order we list them.
#[derive(Debug, Clone)]
pub(crate) struct Models {
    all: Vec<Model>,
    options: Arc<ModelOptions>,
}

/// Names that always work, whatever the live catalogue says: the list that users of this family of
/// gateways have in their configurations. Name, Kiro's id, title, date of release.
const SEED: [(&str, &str, &str, u64); 10] = [
    (
        "claude-opus-4-5",
        "claude-opus-4.5",
        "Claude Opus 4.5",
        1_761_955_200,
    ),
    (
        "claude-opus-4-5-20251101",
        "claude-opus-4.5",
        "Claude Opus 4.5",
        1_761_955_200,
    ),
    (
        "claude-sonnet-4-5",
        "claude-sonnet-4.5",
        "Claude Sonnet 4.5",
        1_759_104_000,
    ),
    (
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4.5",
        "Claude Sonnet 4.5",
        1_759_104_000,
    ),
    (
        "claude-sonnet-4",
        "claude-sonnet-4",
        "Claude Sonnet 4",
        1_747_180_800,
    ),
    (
        "claude-sonnet-4-20250514",
        "claude-sonnet-4",
        "Claude Sonnet 4",
        1_747_180_800,
    ),
    (
        "claude-haiku-4-5",
        "claude-haiku-4.5",
        "Claude Haiku 4.5",
        1_759_276_800,
    ),
    (
        "claude-haiku-4-5-20251001",
        "claude-haiku-4.5",
        "Claude Haiku 4.5",
        1_759_276_800,
    ),
    (
        "claude-3-7-sonnet-20250219",
        "CLAUDE_3_7_SONNET_20250219_V1_0",
        "Claude Sonnet 3.7",
        1_739_923_200,
    ),
    ("auto", "auto", "Auto", UNKNOWN_RELEASE),
];

/// What is told of models whose release nobody tells: clients want a date, and one that does not move.
const UNKNOWN_RELEASE: u64 = 1_759_104_000;

/// Window and output of a model that the live catalogue does not describe: what every Claude model of
/// the 4.5 generation has.
const DEFAULT_WINDOW: u32 = 200_000;
/// Window of `auto` (observed in public captures of the catalogue, November 2026).
const AUTO_WINDOW: u32 = 1_000_000;
const DEFAULT_OUTPUT: u32 = 64_000;

impl Models {
    /// The seed list alone.
    pub(crate) fn seed(options: &Arc<ModelOptions>) -> Self {
        Self::merged(&[], options)
    }

    /// The seed list with a live catalogue laid over it: what is known live gets its limits, what is
    /// only known live is added at the end.
    pub(crate) fn merged(live: &[ModelInfo], options: &Arc<ModelOptions>) -> Self {
        let live_of = |id: &str| {
            live.iter()
                .find(|info| canonical(&info.id) == canonical(id))
        };
        let mut models: Vec<Model> = SEED
            .iter()
            .map(|&(name, id, title, created)| Model::new(name, id, title, created, live_of(id)))
            .collect();
        for info in live {
            if models
                .iter()
                .all(|model| canonical(&model.id) != canonical(&info.id))
            {
                let title = info.name.as_deref().unwrap_or(&info.id);
                models.push(Model::new(
                    &info.id,
                    &info.id,
                    title,
                    UNKNOWN_RELEASE,
                    Some(info),
                ));
            }
        }
        Self {
            all: models,
            options: options.clone(),
        }
    }

    /// All names, as listed: the models that are not hidden, and the aliases of models that exist.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&str, &Model)> {
        let is_hidden = |model: &Model| {
            let mut hidden = self.options.hidden.iter();
            hidden.any(|hidden| hidden == &model.name || hidden == &model.id)
        };
        let is_alias = |model: &Model| self.options.aliases.contains_key(&model.name);
        let own = self
            .all
            .iter()
            .filter(move |model| !is_hidden(model) && !is_alias(model))
            .map(|model| (model.name.as_str(), model));
        let aliases = self.options.aliases.iter();
        let aliases = aliases.filter_map(|(name, meant)| Some((name.as_str(), self.find(meant)?)));
        own.chain(aliases)
    }

    /// The model that a client means.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ModelNotFound`], naming the nearest and all that exist.
    pub(crate) fn resolve(&self, name: &str) -> Result<&Model, Error> {
        self.find_alias(name)
            .or_else(|| self.find(name))
            .ok_or_else(|| self.not_found(name))
    }

    /// The model that stands in for those that nobody knows, if there is one.
    pub(crate) fn fallback(&self) -> Option<&Model> {
        self.find(self.options.fallback.as_deref()?)
    }

    fn find_alias(&self, name: &str) -> Option<&Model> {
        let aliases = &self.options.aliases;
        if aliases.is_empty() {
            return None;
        }
        let wanted = canonical(name);
        // The exact name first: two names of the operator's own may differ in the prefix alone.
        let mut alike = aliases
            .iter()
            .filter(|(alias, _)| canonical(alias) == wanted);
        let meant = aliases.get(name).or_else(|| Some(alike.next()?.1))?;
        self.find(meant)
    }

    fn find(&self, name: &str) -> Option<&Model> {
        let mut all = self.all.iter();
        all.find(|model| model.name == name).or_else(|| {
            let wanted = canonical(name);
            self.all.iter().find(|model| canonical(&model.id) == wanted)
        })
    }

    /// Whether the model with Kiro's id takes pictures.
    pub(crate) fn takes_images(&self, id: &str) -> bool {
        let model = self.all.iter().find(|model| model.id == id);
        model.is_none_or(Model::takes_images)
    }

    /// What the model with Kiro's id takes besides the conversation.
    pub(crate) fn capabilities(&self, id: &str) -> Capabilities {
        self.info(id)
            .map_or_else(|| Capabilities::seed(id), ModelInfo::capabilities)
    }

    /// Tokens that fit into the context of the model with Kiro's id.
    pub(crate) fn context_window(&self, id: &str) -> u32 {
        let model = self.all.iter().find(|model| model.id == id);
        model.map_or(DEFAULT_WINDOW, |model| model.context_window)
    }

    fn info(&self, id: &str) -> Option<&ModelInfo> {
        let model = self.all.iter().find(|model| model.id == id)?;
        model.info.as_ref()
    }

    fn not_found(&self, name: &str) -> Error {
        let names: Vec<&str> = self.listed().map(|(name, _)| name).collect();
        let nearest = names
            .iter()
            .map(|known| (strsim::jaro_winkler(known, &name.to_lowercase()), known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = nearest.map_or(String::new(), |(_, known)| {
            format!(" Did you mean `{known}`?")
        });
        let message = format!(
            "The model `{name}` does not exist or you do not have access to it.{hint} Available models: {}.",
            names.join(", ")
        );
        Error::new(ErrorKind::ModelNotFound, message)
    }
}

impl Model {
    /// Whether it takes pictures. One that the live catalogue does not describe is believed to: every
    /// Claude model does.
    pub(crate) fn takes_images(&self) -> bool {
        let info = self.info.as_ref();
        info.is_none_or(|info| info.input_types.contains(&InputType::Image))
    }

    /// How hard the model can be told to think, from least to most; empty when it cannot be told.
    pub(crate) fn efforts(&self) -> Vec<Effort> {
        let capabilities = match &self.info {
            Some(info) => info.capabilities(),
            None => Capabilities::seed(&self.id),
        };
        match (capabilities.thinking, &self.info) {
            (Thinking::Tags, _) => {
                vec![Effort::None, Effort::Low, Effort::Medium, Effort::High]
            }
            (_, Some(info)) => info.efforts(),
            (_, None) => Vec::new(),
        }
    }

    /// Whether an effort that is asked for has no effect. A model without thoughts does what is asked where
    /// none are wanted.
    pub(crate) fn ignores(&self, effort: Option<Effort>) -> bool {
        effort.is_some_and(|effort| effort != Effort::None) && self.efforts().is_empty()
    }

    fn new(name: &str, id: &str, title: &str, created: u64, info: Option<&ModelInfo>) -> Self {
        let limit = |of: fn(&ModelInfo) -> Option<u64>| u32::try_from(info.and_then(of)?).ok();
        Self {
            name: name.to_owned(),
            // The live spelling wins: the same model has been `claude-sonnet-4` and `claude-sonnet-4.0`.
            id: info.map_or(id, |info| &info.id).to_owned(),
            title: title.to_owned(),
            created,
            context_window: limit(|info| info.max_input_tokens).unwrap_or(match id {
                "auto" => AUTO_WINDOW,
                _ => DEFAULT_WINDOW,
            }),
            max_output_tokens: limit(|info| info.max_output_tokens).unwrap_or(DEFAULT_OUTPUT),
            info: info.cloned(),
        }
    }
}

/// One spelling for every way people write a model's name: `kiro/Claude-Sonnet-4-5-20250929`,
/// `openai/claude-sonnet-4.5-latest` and Bedrock's `us.anthropic.claude-sonnet-4-5-20250929-v1:0` are all
/// `claude-sonnet-4.5`.
fn canonical(name: &str) -> String {
    let lower = name.trim().to_lowercase().replace(['_', ':', '@'], "-");
    // Whatever a client calls the provider, it is this one.
    let mut rest = lower.rsplit('/').next().unwrap_or(&lower);
    for prefix in ["kiro-", "us.", "eu.", "apac.", "global.", "anthropic."] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    for suffix in ["-v1-0", "[1m]", "-latest", "-thinking"] {
        rest = rest.strip_suffix(suffix).unwrap_or(rest);
    }
    family_first(&dotted(without_date(rest)))
}

/// Drops `-YYYYMMDD` from the end.
fn without_date(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((head, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => head,
        _ => name,
    }
}

/// `4-5` → `4.5`, `4.0` → `4`.
fn dotted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let bytes = name.as_bytes();
    for (at, character) in name.char_indices() {
        let between_digits = at > 0
            && bytes[at - 1].is_ascii_digit()
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        out.push(if character == '-' && between_digits {
            '.'
        } else {
            character
        });
    }
    out.strip_suffix(".0").map_or(out.clone(), str::to_owned)
}

/// `claude-3.7-sonnet` → `claude-sonnet-3.7`.
fn family_first(name: &str) -> String {
    let parts: Vec<&str> = name.split('-').collect();
    match parts[..] {
        ["claude", version, family] if version.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("claude-{family}-{version}")
        }
        _ => name.to_owned(),
    }
}

/// The models of one pool of credentials: what was fetched last, and when.
#[derive(Debug)]
pub(crate) struct Catalog {
    state: RwLock<State>,
    /// Held while a fetch is under way, so that callers share one.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    models: Arc<Models>,
    fetch_at: Option<Instant>,
}

impl Catalog {
    /// The seed list, to be replaced by the first fetch.
    pub(crate) fn new(options: &Arc<ModelOptions>) -> Self {
        let state = State {
            models: Arc::new(Models::seed(options)),
            fetch_at: None,
        };
        Self {
            state: RwLock::new(state),
            fetching: tokio::sync::Mutex::new(()),
        }
    }

    /// Changes what the operator wants of the names; what is known of the models stays.
    pub(crate) fn set_options(&self, options: &Arc<ModelOptions>) {
        let mut state = self.write();
        state.models = Arc::new(Models {
            all: state.models.all.clone(),
            options: options.clone(),
        });
    }

    /// What is known, without waiting.
    pub(crate) fn current(&self) -> Arc<Models> {
        self.read().models.clone()
    }

    /// What is known after a fetch, if one is due. A failed fetch leaves the old list standing.
    pub(crate) async fn fresh<F>(&self, fetch: impl FnOnce() -> F) -> Arc<Models>
    where
        F: Future<Output = Result<Vec<ModelInfo>, Error>>,
    {
        if self.is_due() {
            let _one_at_a_time = self.fetching.lock().await;
            if self.is_due() {
                // Seldom, so it takes no room in the requests that do without.
                self.store(Box::pin(fetch()).await);
            }
        }
        self.current()
    }

    /// Whether a fetch might tell more than is known.
    pub(crate) fn is_due(&self) -> bool {
        self.read().fetch_at.is_none_or(|at| at <= Instant::now())
    }

    fn store(&self, fetched: Result<Vec<ModelInfo>, Error>) {
        let mut state = self.write();
        match fetched {
            Ok(live) => {
                state.models = Arc::new(Models::merged(&live, &state.models.options));
                state.fetch_at = Some(Instant::now() + LIVE_FOR);
            }
            Err(error) => {
                tracing::warn!(%error, "the list of models could not be fetched; the last one stands");
                state.fetch_at = Some(Instant::now() + RETRY_AFTER);
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // A panic while the lock was held cannot have left the list half written: it is one pointer.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        // As above.
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Models {
        Models::seed(&Arc::default())
    }

    fn live(id: &str, window: u32) -> ModelInfo {
        let json = format!(
            r#"{{"models":[{{"modelId":"{id}","tokenLimits":{{"maxInputTokens":{window},"maxOutputTokens":9}}}}]}}"#
        );
        kiro_protocol::rpc::ModelList::parse(json.as_bytes())
            .unwrap()
            .models
            .remove(0)
    }

    #[test]
    fn every_spelling_of_a_name_means_the_same_model() {
        let models = seed();
        for (spelling, id) in [
            ("claude-sonnet-4-5", "claude-sonnet-4.5"),
            ("claude-sonnet-4.5", "claude-sonnet-4.5"),
            ("Claude-Sonnet-4-5-20250929", "claude-sonnet-4.5"),
            ("kiro/claude-sonnet-4.5", "claude-sonnet-4.5"),
            ("anthropic/claude-opus-4.5", "claude-opus-4.5"),
            ("anthropic.claude-haiku-4-5-latest", "claude-haiku-4.5"),
            ("claude-4.5-sonnet", "claude-sonnet-4.5"),
            ("claude-sonnet-4.0", "claude-sonnet-4"),
            (" claude-sonnet-4-20250514 ", "claude-sonnet-4"),
            ("claude-3-7-sonnet", "CLAUDE_3_7_SONNET_20250219_V1_0"),
            (
                "CLAUDE_3_7_SONNET_20250219_V1_0",
                "CLAUDE_3_7_SONNET_20250219_V1_0",
            ),
            ("claude-sonnet-4-5-thinking", "claude-sonnet-4.5"),
            ("openai/claude-sonnet-4-5", "claude-sonnet-4.5"),
            ("openrouter/anthropic/claude-opus-4.5", "claude-opus-4.5"),
            ("claude-haiku-4-5@20251001", "claude-haiku-4.5"),
            (
                "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4.5",
            ),
        ] {
            assert_eq!(
                models.resolve(spelling).map(|model| model.id.as_str()).ok(),
                Some(id),
                "{spelling}"
            );
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_and_the_list() {
        let error = seed().resolve("claude-sonet-4-5").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ModelNotFound);
        assert!(
            error
                .public_message()
                .contains("Did you mean `claude-sonnet-4-5`?")
        );
        assert!(error.public_message().contains("claude-haiku-4-5-20251001"));
        assert!(
            !seed()
                .resolve("gpt-4o")
                .unwrap_err()
                .public_message()
                .contains("Did you")
        );
    }

    #[test]
    fn the_live_catalogue_adds_models_limits_and_its_own_spelling() {
        let live = [
            live("claude-opus-4.8", 1_000_000),
            live("claude-sonnet-4.0", 7),
        ];
        let models = Models::merged(&live, &Arc::default());
        assert_eq!(
            models.resolve("claude-opus-4-8").unwrap().context_window,
            1_000_000
        );
        let sonnet = models.resolve("claude-sonnet-4").unwrap();
        assert_eq!(
            (sonnet.id.as_str(), sonnet.context_window),
            ("claude-sonnet-4.0", 7)
        );
        assert_eq!(
            models
                .listed()
                .filter(|(name, _)| *name == "claude-sonnet-4.0")
                .count(),
            0
        );
    }

    fn wanted(change: impl FnOnce(&mut ModelOptions)) -> Models {
        let mut options = ModelOptions::default();
        change(&mut options);
        Models::seed(&Arc::new(options))
    }

    fn listed(models: &Models) -> Vec<&str> {
        models.listed().map(|(name, _)| name).collect()
    }

    #[test]
    fn an_alias_goes_before_what_we_know_in_any_spelling_of_both() {
        let models = wanted(|options| {
            for (alias, model) in [
                ("gpt-4o", "anthropic/Claude-Sonnet-4-5"),
                ("claude-opus-4-5", "claude-haiku-4.5"),
                ("nowhere", "gpt-9"),
                ("chain", "gpt-4o"),
                ("fast/default", "claude-haiku-4.5"),
                ("good/default", "claude-opus-4.5"),
            ] {
                options.aliases.insert(alias.into(), model.into());
            }
        });
        for (name, id) in [
            ("gpt-4o", Some("claude-sonnet-4.5")),
            ("GPT-4o", Some("claude-sonnet-4.5")),
            ("openai/gpt-4o", Some("claude-sonnet-4.5")),
            ("fast/default", Some("claude-haiku-4.5")),
            ("good/default", Some("claude-opus-4.5")),
            ("claude-opus-4.5", Some("claude-haiku-4.5")),
            ("claude-haiku-4-5", Some("claude-haiku-4.5")),
            ("nowhere", None),
            ("chain", None),
        ] {
            let found = models.resolve(name).ok().map(|model| model.id.as_str());
            assert_eq!(found, id, "{name}");
        }
        let names = listed(&models);
        for (name, times) in [("gpt-4o", 1), ("claude-opus-4-5", 1), ("nowhere", 0)] {
            let found = names.iter().filter(|listed| **listed == name).count();
            assert_eq!(found, times, "{name}");
        }
    }

    #[test]
    fn what_is_hidden_works_and_is_named_nowhere() {
        let models = wanted(|options| {
            options.hidden = vec![
                "claude-sonnet-4.5".into(),
                "claude-opus-4-5-20251101".into(),
            ];
        });
        assert!(models.resolve("claude-sonnet-4-5").is_ok());
        let names = listed(&models);
        assert!(!names.iter().any(|name| name.contains("sonnet-4-5")));
        assert!(!names.contains(&"claude-opus-4-5-20251101"));
        assert!(names.contains(&"claude-opus-4-5"));
        let refusal = models.resolve("claude-sonet-4-5").unwrap_err();
        assert!(!refusal.public_message().contains("`claude-sonnet-4-5`"));
    }

    #[test]
    fn a_fallback_is_a_model_that_exists_and_is_no_answer_to_a_name() {
        let models = wanted(|options| options.fallback = Some("kiro/claude-haiku-4-5".into()));
        assert_eq!(models.fallback().unwrap().id, "claude-haiku-4.5");
        assert!(models.resolve("gpt-4o").is_err());
        let models = wanted(|options| options.fallback = Some("gpt-9".into()));
        assert!(models.fallback().is_none());
    }

    #[test]
    fn a_model_says_how_hard_it_can_think() {
        let efforts = |name: &str| {
            let models = seed();
            let efforts = models.resolve(name).unwrap().efforts().into_iter();
            efforts.map(Effort::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(efforts("claude-sonnet-4-5"), "none low medium high");
        assert_eq!(efforts("auto"), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_fetch_leaves_the_last_list_and_is_tried_again_later() {
        let catalog = Catalog::new(&Arc::default());
        let fail = || async { Err(Error::new(ErrorKind::UpstreamUnreachable, "down")) };
        catalog
            .fresh(|| async { Ok(vec![live("claude-opus-4.8", 1)]) })
            .await;
        tokio::time::advance(LIVE_FOR).await;
        assert!(catalog.fresh(fail).await.resolve("claude-opus-4.8").is_ok());
        let not_called = async { unreachable!("a fetch failed a moment ago") };
        catalog.fresh(|| not_called).await;
        tokio::time::advance(RETRY_AFTER).await;
        assert!(
            catalog
                .fresh(|| async { Ok(vec![]) })
                .await
                .resolve("claude-opus-4.8")
                .is_err()
        );
    }
}
