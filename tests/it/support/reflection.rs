//! The services as clients see them, by reflection.

use prost::Message as _;
use prost_types::FileDescriptorProto;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::{TestServer, soon};

/// Asks for descriptions of files.
pub(crate) async fn described(
    server: &TestServer,
    questions: Vec<MessageRequest>,
) -> Vec<FileDescriptorProto> {
    let mut files = Vec::new();
    for answer in ask(server, questions).await {
        let MessageResponse::FileDescriptorResponse(answer) = answer else {
            panic!("expected a file, got {answer:?}");
        };
        let described = answer.file_descriptor_proto.iter();
        files.extend(
            described
                .map(|file| FileDescriptorProto::decode(file.as_slice()).expect("a description")),
        );
    }
    files
}

/// Every call of the project's own services: `letterbox.v1.MessagingService/ListInbox`.
pub(crate) async fn calls(server: &TestServer) -> Vec<String> {
    let listed = ask(server, vec![MessageRequest::ListServices(String::new())]).await;
    let [MessageResponse::ListServicesResponse(listed)] = listed.as_slice() else {
        panic!("expected the services, got {listed:?}");
    };
    let names = listed.service.iter().map(|service| service.name.clone());
    let questions = names
        .filter(|name| name.starts_with("letterbox."))
        .map(MessageRequest::FileContainingSymbol);
    let mut calls = Vec::new();
    for file in described(server, questions.collect()).await {
        for service in &file.service {
            let methods = service
                .method
                .iter()
                .map(|method| format!("{}.{}/{}", file.package(), service.name(), method.name()));
            calls.extend(methods);
        }
    }
    calls
}

async fn ask(server: &TestServer, questions: Vec<MessageRequest>) -> Vec<MessageResponse> {
    let requests = questions
        .into_iter()
        .map(|question| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        });
    let requests: Vec<_> = requests.collect();
    let mut client = ServerReflectionClient::new(server.connect());
    let answers = client.server_reflection_info(tokio_stream::iter(requests));
    let mut answers = answers.await.expect("reflection answers").into_inner();
    let mut all = Vec::new();
    while let Some(answer) = soon("an answer", answers.message())
        .await
        .expect("an answer")
    {
        all.push(answer.message_response.expect("an answer says something"));
    }
    all
}
