//! What every rpc begins and ends with.

use tonic::{Request, Response, Status};

use super::{
    auth::{BadCredentials, Identity, TurnedAway},
    status::{Failure, status},
};
use crate::{messenger::Messenger, model::Ids};

/// The identity that the call's layer has put beside the request, whose profile is kept current by
/// it, and the request.
pub(super) async fn opened<T>(
    messenger: &Messenger,
    request: Request<T>,
) -> Result<(Identity, T), Failure> {
    let (_, extensions, message) = request.into_parts();
    let identity = extensions.get::<Identity>().cloned().ok_or(UNSEEN)?;
    if let Some(profile) = &identity.profile {
        messenger.learn(&identity.caller, profile).await?;
    }
    Ok((identity, message))
}

/// The response, or the status of what went wrong.
pub(super) async fn answer<T>(
    ids: &dyn Ids,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<Response<T>, Status> {
    let result = work.await;
    result
        .map(Response::new)
        .map_err(|failure| status(failure, ids))
}

/// No layer has put an identity beside the request.
const UNSEEN: Failure = Failure::TurnedAway(TurnedAway::Unknown(BadCredentials::Missing));
