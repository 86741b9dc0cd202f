//! A sign-in with a device code, under way.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::time::{Instant, sleep_until};

use super::SignIn;
use crate::credential::Credential;
use crate::error::AuthErrorKind;
use crate::sign_in::{
    ClientRegistration, DeviceAuthorization, DevicePoll, Directory, PollStep, SignInError, device,
};

/// A device code that waits for somebody to approve it.
///
/// Dropping it ends the sign-in; the code then expires by itself.
#[must_use = "nobody is signed in before `wait` returns"]
pub struct DeviceSignIn {
    sign_in: SignIn,
    directory: Directory,
    client: ClientRegistration,
    authorization: DeviceAuthorization,
    request: Request<Bytes>,
    poll: DevicePoll,
}

impl DeviceSignIn {
    pub(super) fn begin(
        sign_in: SignIn,
        directory: Directory,
        client: ClientRegistration,
        authorization: DeviceAuthorization,
    ) -> Result<Self, SignInError> {
        Ok(Self {
            request: device::poll_request(&directory, &client, &authorization.device_code)?,
            poll: DevicePoll::new(&authorization, Instant::now().into_std()),
            sign_in,
            directory,
            client,
            authorization,
        })
    }

    /// The page to open, with the code filled in where the service does that.
    pub fn page(&self) -> &str {
        let authorization = &self.authorization;
        let complete = authorization.verification_uri_complete.as_deref();
        complete.unwrap_or(&authorization.verification_uri)
    }

    /// The code that the person compares with what the page shows, or types.
    pub fn user_code(&self) -> &str {
        &self.authorization.user_code
    }

    /// How long the code is good, counted from the beginning of the sign-in.
    pub fn expires_in(&self) -> Duration {
        self.authorization.expires_in
    }

    /// Waits until somebody approves.
    ///
    /// # Errors
    ///
    /// [`Expired`](SignInError::Expired) when nobody does, [`Denied`](SignInError::Denied) when somebody
    /// refuses, [`Refused`](SignInError::Refused) when the service wants no more of it. Failures of the
    /// service and of the network are waited out.
    ///
    /// # Cancel safety
    ///
    /// Dropping the wait ends the sign-in.
    pub async fn wait(mut self) -> Result<Credential, SignInError> {
        loop {
            match self.poll.next(Instant::now().into_std()) {
                PollStep::Wait(until) => sleep_until(Instant::from_std(until)).await,
                PollStep::Expired => return Err(SignInError::Expired),
                PollStep::Ask => {
                    if let Some(credential) = self.ask().await? {
                        return Ok(credential);
                    }
                }
            }
        }
    }

    async fn ask(&mut self) -> Result<Option<Credential>, SignInError> {
        let asked_at = self.sign_in.clock().now();
        let answer = self.sign_in.client().ask_once(&self.request).await;
        let now = Instant::now().into_std();
        let (status, headers, body) = match answer {
            Ok(answer) => answer,
            Err(error) if error.kind() == AuthErrorKind::Transient => {
                tracing::debug!(%error, "sign-in service will be asked again");
                self.poll.unanswered(now);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let granted = self.poll.answered(now, status, &headers, &body)?;
        Ok(granted.map(|granted| self.directory.credential(&self.client, &granted, asked_at)))
    }
}

impl fmt::Debug for DeviceSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceSignIn")
            .field("directory", &self.directory)
            .field("poll", &self.poll)
            .finish_non_exhaustive()
    }
}
