//! Which profiles a credential may use.

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Map, Value};

use super::call::Operation;
use super::read::{list, object, text};
use super::{Call, RpcError};
use crate::request::BuildError;

const NAME: &str = "ListAvailableProfiles";

const OPERATION: Operation = Operation {
    method: Method::POST,
    path: "/ListAvailableProfiles",
    hyphened_path: "/List-Available-Profiles",
    cli_target: "AmazonCodeWhispererService.ListAvailableProfiles",
    krs_target: "KiroControlPlaneBearerService.ListAvailableProfiles",
};

/// Most profiles to ask for at once, as the official clients do.
const PAGE: u32 = 10;

/// Asks which profiles a credential may use, in one region. Ask every region: a profile is often not in
/// that of the login. Builder IDs and social logins may be refused; that says nothing about
/// the credential.
///
/// `next_token` is that of the page before.
///
/// # Errors
///
/// [`BuildError`] when a value cannot stand in a header or an address.
pub fn list_profiles(
    call: &Call<'_>,
    next_token: Option<&str>,
) -> Result<Request<Bytes>, BuildError> {
    let mut parameters = Map::new();
    parameters.insert("maxResults".into(), PAGE.into());
    if let Some(token) = next_token {
        parameters.insert("nextToken".into(), token.into());
    }
    OPERATION.request(call, &parameters)
}

/// One page of profiles.
///
/// ```text
/// {"profiles":[{"arn":"arn:aws:codewhisperer:eu-central-1:111122223333:profile/ABC","profileName":"team"}],
///  "nextToken":null}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileList {
    /// The profiles of this page.
    pub profiles: Vec<ProfileInfo>,
    /// Asks for the next page.
    pub next_token: Option<String>,
}

/// One profile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileInfo {
    /// What requests name; holds the region of the service.
    pub arn: String,
    /// Its name for people.
    pub name: Option<String>,
}

impl ProfileList {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// [`RpcError`] when the answer is no JSON object or has no list of profiles.
    pub fn parse(body: &[u8]) -> Result<Self, RpcError> {
        let members = object(NAME, body)?;
        let profiles = list(NAME, &members, "profiles")?;
        Ok(Self {
            profiles: profiles.iter().filter_map(ProfileInfo::read).collect(),
            next_token: text(members.get("nextToken")),
        })
    }
}

impl ProfileInfo {
    fn read(profile: &Value) -> Option<Self> {
        Some(Self {
            arn: text(profile.get("arn"))?,
            name: text(profile.get("profileName")),
        })
    }
}
