//! What every rpc begins and ends with.

use tonic::{Request, Response, Status};

use super::{
    auth::{BadCredentials, Identity, TurnedAway},
    status::{Failure, status},
};
use crate::{messenger::Messenger, model::Ids};

/// The identity that the call's layer has put beside the request, and what is asked for. A request that is
/// refused for its form touches nothing; by any other, the caller's profile is kept current.
pub(super) async fn opened<T, P>(
    messenger: &Messenger,
    request: Request<T>,
    parse: impl FnOnce(&Identity, T) -> Result<P, Failure>,
) -> Result<(Identity, P), Failure> {
    let (_, extensions, message) = request.into_parts();
    let identity = extensions.get::<Identity>().cloned().ok_or(UNSEEN)?;
    let asked = parse(&identity, message)?;
    if let Some(profile) = &identity.profile {
        messenger.learn(&identity.caller, profile).await?;
    }
    Ok((identity, asked))
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
