//! What holds wherever responses are kept.

use bytes::BytesMut;
use kiro_auth::Secret;
use kiro_protocol::reply::ReplyEvent;
use serde_json::value::RawValue;

#[cfg(feature = "redis")]
#[path = "../../../../tests/support/redis.rs"]
pub(crate) mod server;

use super::keeper::SHARE;
use super::*;
use crate::error::Error;
use crate::surface::ReplyEncoder;

pub(super) fn kept(id: &str, previous: Option<&str>, items: &[&str]) -> Kept {
    let items = items.iter().map(|id| Item {
        id: (*id).to_owned(),
        json: RawValue::from_string(document(id)).unwrap().into(),
    });
    Kept {
        id: id.to_owned(),
        previous: previous.map(str::to_owned),
        input: items.collect(),
        output: Vec::new(),
        document: document(id).into(),
    }
}

/// Not as a serializer would write it, so that it shows when one did.
fn document(id: &str) -> String {
    format!("{{\"id\":  {}}}", serde_json::Value::from(id))
}

pub(super) fn owner(name: &str) -> Owner {
    Owner::new(
        name.to_owned(),
        Secret::new(format!("what-{name}-sends-0123456789")),
    )
}

/// A keeper of each kind, named, with what it needs.
struct Kind {
    name: &'static str,
    keeper: Keeper,
    #[cfg(feature = "redis")]
    _server: Option<server::Server>,
}

async fn kinds(change: impl Fn(&mut KeepOptions)) -> Vec<Kind> {
    let mut options = KeepOptions::default();
    change(&mut options);
    let memory = Kind {
        name: "memory",
        keeper: Keeper::new(&options),
        #[cfg(feature = "redis")]
        _server: None,
    };
    #[cfg(feature = "redis")]
    let redis = {
        let server = server::Server::start().await;
        let redis = kiro_auth::RedisServer::new(&server.url(), Default::default());
        options.redis = Some(redis.unwrap());
        Kind {
            name: "redis",
            keeper: Keeper::new(&options),
            _server: Some(server),
        }
    };
    vec![
        memory,
        #[cfg(feature = "redis")]
        redis,
    ]
}

impl Kind {
    async fn insert(&self, owner: &Owner, kept: Kept) {
        self.keeper.insert(owner, kept).await.unwrap();
    }

    async fn has(&self, owner: &Owner, id: &str) -> bool {
        self.keeper.response(owner, id).await.unwrap().is_some()
    }

    async fn has_item(&self, owner: &Owner, id: &str) -> bool {
        let found = self.keeper.items(owner, &[id.to_owned()]).await.unwrap();
        found.contains_key(id)
    }

    async fn forget(&self, owner: &Owner, id: &str) -> bool {
        self.keeper.forget(owner, id).await.unwrap()
    }

    /// The ids of a conversation.
    async fn conversation(&self, owner: &Owner, id: &str) -> Option<Vec<String>> {
        let chain = self.keeper.conversation(owner, id).await.unwrap()?;
        Some(chain.iter().map(|kept| kept.id.clone()).collect())
    }
}

#[tokio::test]
async fn what_is_kept_comes_back_as_it_was() {
    let odd = "\"quoted\" \\ \u{2028} é";
    for kind in kinds(|_| {}).await {
        let owner = owner("a");
        let whole = Kept {
            output: kept("", None, &["o"]).input,
            ..kept(odd, Some("before"), &[odd, "i"])
        };
        kind.insert(&owner, whole).await;
        let found = kind.keeper.response(&owner, odd).await.unwrap().unwrap();
        let texts = |items: &[Item]| -> Vec<(String, String)> {
            let items = items.iter();
            items
                .map(|item| (item.id.clone(), item.json.get().to_owned()))
                .collect()
        };
        let expected = kept(odd, Some("before"), &[odd, "i"]);
        assert_eq!(found.id, expected.id, "{}", kind.name);
        assert_eq!(found.previous, expected.previous);
        assert_eq!(found.document, expected.document);
        assert_eq!(texts(&found.input), texts(&expected.input));
        assert_eq!(texts(&found.output), [("o".to_owned(), document("o"))]);
        let ids = [odd, "o", "unknown", "o"].map(str::to_owned);
        let items = kind.keeper.items(&owner, &ids).await.unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items["o"].get(), document("o"));
    }
}

#[tokio::test]
async fn another_tenants_ids_are_unknown() {
    for kind in kinds(|_| {}).await {
        let (a, b) = (owner("a"), owner("b"));
        kind.insert(&a, kept("r", None, &["i"])).await;
        assert!(
            kind.has(&a, "r").await && kind.has_item(&a, "i").await,
            "{}",
            kind.name
        );
        assert!(!kind.has(&b, "r").await && !kind.has_item(&b, "i").await);
        assert_eq!(kind.conversation(&b, "r").await, None);
        assert!(!kind.forget(&b, "r").await);
        assert!(kind.forget(&a, "r").await && !kind.forget(&a, "r").await);
        assert!(!kind.has(&a, "r").await && !kind.has_item(&a, "i").await);
    }
}

#[tokio::test]
async fn what_was_used_least_recently_goes_first() {
    let room = kept("1", None, &["i"]).n_bytes() * 2;
    for kind in kinds(|options| options.max_bytes = room).await {
        let owner = owner("a");
        kind.insert(&owner, kept("1", None, &["i"])).await;
        kind.insert(&owner, kept("2", None, &["j"])).await;
        assert!(kind.has_item(&owner, "i").await);
        kind.insert(&owner, kept("3", None, &["k"])).await;
        assert!(!kind.has(&owner, "2").await, "{}", kind.name);
        assert!(!kind.has_item(&owner, "j").await);
        assert!(kind.has(&owner, "1").await && kind.has(&owner, "3").await);
        // What replaces itself takes its room once.
        kind.insert(&owner, kept("3", None, &["k"])).await;
        assert!(kind.has(&owner, "1").await && kind.has(&owner, "3").await);
    }
}

#[tokio::test]
async fn the_room_is_shared_by_all_tenants() {
    let room = kept("1", None, &[]).n_bytes() * 2;
    for kind in kinds(|options| options.max_bytes = room).await {
        let (a, b) = (owner("a"), owner("b"));
        kind.insert(&a, kept("1", None, &[])).await;
        kind.insert(&b, kept("2", None, &[])).await;
        kind.insert(&b, kept("3", None, &[])).await;
        assert!(!kind.has(&a, "1").await, "{}", kind.name);
        assert!(kind.has(&b, "2").await && kind.has(&b, "3").await);
    }
}

#[tokio::test]
async fn an_item_is_known_as_long_as_the_newest_response_that_has_it() {
    for kind in kinds(|_| {}).await {
        let owner = owner("a");
        kind.insert(&owner, kept("1", None, &["i"])).await;
        kind.insert(&owner, kept("2", None, &["i"])).await;
        kind.forget(&owner, "1").await;
        assert!(kind.has_item(&owner, "i").await, "{}", kind.name);
        kind.forget(&owner, "2").await;
        assert!(!kind.has_item(&owner, "i").await);
    }
}

#[tokio::test]
async fn a_conversation_is_whole_or_unknown() {
    for kind in kinds(|_| {}).await {
        let owner = owner("a");
        kind.insert(&owner, kept("1", None, &[])).await;
        kind.insert(&owner, kept("2", Some("1"), &[])).await;
        kind.insert(&owner, kept("3", Some("2"), &[])).await;
        let whole = kind.conversation(&owner, "3").await.unwrap();
        assert_eq!(whole, ["1", "2", "3"], "{}", kind.name);
        kind.forget(&owner, "1").await;
        assert_eq!(kind.conversation(&owner, "3").await, None);
        assert!(kind.has(&owner, "3").await);
    }
}

#[tokio::test]
async fn what_others_build_on_is_not_the_first_to_go() {
    let room = kept("1", None, &[]).n_bytes() * 3 + 1;
    for kind in kinds(|options| options.max_bytes = room).await {
        let owner = owner("a");
        kind.insert(&owner, kept("1", None, &[])).await;
        kind.insert(&owner, kept("2", Some("1"), &[])).await;
        kind.insert(&owner, kept("x", None, &[])).await;
        kind.conversation(&owner, "2").await.unwrap();
        kind.insert(&owner, kept("y", None, &[])).await;
        kind.insert(&owner, kept("z", None, &[])).await;
        assert!(kind.has(&owner, "1").await, "{}", kind.name);
        assert!(!kind.has(&owner, "2").await && !kind.has(&owner, "x").await);
    }
}

#[tokio::test]
async fn what_is_too_large_is_not_kept_and_this_is_told() {
    /// An encoder that leaves a response.
    #[derive(Default)]
    struct Leaves(bool);
    impl ReplyEncoder for Leaves {
        fn event(&mut self, _: ReplyEvent, _: &mut BytesMut) {}
        fn keep_alive(&mut self, _: &mut BytesMut) {}
        fn finish(&mut self, _: &mut BytesMut) {}
        fn fail(&mut self, _: &Error, _: &mut BytesMut) {}
        fn keep(&mut self) -> Option<Kept> {
            Some(kept("1", None, &["i"]))
        }
        fn not_kept(&mut self) {
            self.0 = true;
        }
    }
    let least = kept("1", None, &["i"]).n_bytes() * SHARE;
    for (room, is_kept) in [(least, true), (least - 1, false)] {
        for kind in kinds(|options| options.max_bytes = room).await {
            let (owner, mut encoder) = (owner("a"), Leaves::default());
            kind.keeper.keep(&owner, &mut encoder).await;
            assert_eq!(encoder.0, !is_kept, "{}", kind.name);
            assert_eq!(kind.has(&owner, "1").await, is_kept, "{}", kind.name);
        }
    }
}
