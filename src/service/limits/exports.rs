//! How often an account may be exported.

use std::{num::NonZeroU32, sync::Arc};

use super::limiter::Limiter;
use crate::{
    domain::{Clock, UserId},
    service::{Result, SeenBy},
    store::Export,
};

/// Exports of one account per hour.
const PER_HOUR: NonZeroU32 = NonZeroU32::new(1).expect("not zero");

/// Counts exports by account.
#[derive(Debug)]
pub(crate) struct Exports(Limiter<UserId>);

impl Exports {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self(Limiter::hourly(PER_HOUR, Arc::clone(clock)))
    }
}

impl SeenBy {
    /// Begins an export of the viewer's account. It counts if it begins, also if it is not read to its
    /// end.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::service::Error::Unauthenticated) when signed out,
    /// [`Error::RateLimited`](crate::service::Error::RateLimited) when the account was exported within
    /// the last hour, when the store fails, or what `begin` returns.
    pub async fn export_account<File, Begun: Future<Output = Result<File>>>(
        &self,
        begin: impl FnOnce(Box<dyn Export>) -> Begun,
    ) -> Result<File> {
        let viewer = self.signed_in()?.id();
        if let Some(exports) = &self.service.exports {
            exports.0.take(&viewer, NonZeroU32::MIN)?;
        }
        let begun = async { begin(self.service.store.export().await?).await };
        begun.await.inspect_err(|_| {
            if let Some(exports) = &self.service.exports {
                exports.0.give_back(&viewer, NonZeroU32::MIN);
            }
        })
    }
}
