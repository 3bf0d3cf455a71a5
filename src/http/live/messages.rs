//! What the driver does with the messages of the client and of the library.

use std::sync::Arc;

use axum::extract::ws::Message;
use futures_util::{
    FutureExt,
    future::{AbortHandle, Abortable},
};
use serde_json::{Map, Value};

use super::{
    driver::{Driver, Failed, Phase, Running},
    frames::{self, ClientMessage, Close},
    library::Output,
    operation::{self, Answers, Ending, Line},
    session::{self, Session},
};
use crate::{
    graphql::{Caller, Code, OperationLabel, Reply},
    http::{metrics, params},
};

impl Driver {
    /// Takes a message of the client.
    pub(super) fn received(&mut self, message: Message) {
        let parsed = match message {
            Message::Text(text) => ClientMessage::parse(&text),
            Message::Binary(_) => Err(Close::invalid("Messages are text")),
            Message::Pong(_) if self.times.take_pong() => return,
            Message::Ping(_) | Message::Pong(_) => return self.charge_message(),
            // The answer is written by tungstenite, and then the socket ends.
            Message::Close(_) => return,
        };
        match parsed {
            Ok(ClientMessage::Init(payload)) => self.init(payload),
            Ok(ClientMessage::Subscribe(id, payload)) => self.subscribe(id, payload),
            Ok(ClientMessage::Complete(id)) => {
                self.charge_message();
                self.stop(&id);
            }
            Ok(ClientMessage::Ping) => {
                self.out.push_back(frames::pong());
                self.charge_message();
            }
            Ok(ClientMessage::Pong) => self.charge_message(),
            Err(close) => self.close(close),
        }
    }

    /// Charges the address for a message, as for a request.
    fn charge_message(&mut self) {
        if self.opened.state.service.admit(self.opened.client).is_err() {
            self.close(Close::TOO_MANY_MESSAGES);
        }
    }

    fn init(&mut self, payload: Map<String, Value>) {
        if !matches!(self.phase, Phase::Silent) {
            return self.close(Close::SECOND_INIT);
        }
        self.times.initialised();
        let (state, given) = (Arc::clone(&self.opened.state), self.opened.given.clone());
        let session = async move { Session::begin(&state, given, payload).await };
        self.phase = Phase::Authenticating(session.boxed());
    }

    fn subscribe(&mut self, id: String, payload: Map<String, Value>) {
        if !matches!(self.phase, Phase::Open) {
            return self.close(Close::NOT_ACKNOWLEDGED);
        }
        if self.numbers.contains_key(&id) {
            return self.close(Close::ID_IN_USE);
        }
        let Ok(request) = params::from_object(payload) else {
            let reason = "The payload has a query, and variables and extensions are objects";
            return self.close(Close::invalid(reason));
        };
        let state = &self.opened.state;
        if let Err(error) = state.service.admit(self.opened.client) {
            return self.refuse(&id, None, &error.into());
        }
        if self.running.len() >= state.limits.operations_per_socket_max {
            let message = "Too many operations at once on this socket.";
            return self.refuse(&id, None, &Reply::refusal(Code::RateLimited, message));
        }
        let operation = match state.api.prepare(request) {
            Ok(operation) => operation,
            Err(mut reply) => {
                let label = reply.operation.take();
                return self.refuse(&id, label, &reply);
            }
        };

        self.last_number += 1;
        let number = self.last_number;
        let (abort, registration) = AbortHandle::new_pair();
        let line = self.line(Some(operation.label().clone()));
        self.running.insert(number, Running { id: id.clone(), abort, is_open: false, line });
        self.numbers.insert(id, number);
        let token = self.session.as_ref().and_then(Session::token);
        let (state, address) = (Arc::clone(state), self.opened.client);
        let request_id = self.opened.request_id.clone();
        let opening = async move {
            let token = token.filter(|_| !operation.only_signs_in());
            let opened = async {
                let viewer = session::authenticate(&state, token.as_deref()).await;
                let viewer = viewer.map_err(Failed::Close)?;
                let caller = Caller { viewer, address, request_id };
                Ok(operation::open(&state, operation, caller, None).await?)
            };
            (number, opened.await)
        };
        self.opening.push(Abortable::new(opening.boxed(), registration));
    }

    fn line(&self, label: Option<OperationLabel>) -> Line {
        let viewer = self.session.as_ref().and_then(|session| session.viewer);
        Line::begin(label, self.opened.client, viewer)
    }

    /// Answers an operation that was never opened.
    fn refuse(&mut self, id: &str, label: Option<OperationLabel>, reply: &Reply) {
        let mut line = self.line(label);
        line.code = reply.error;
        metrics::count_operation(reply.error);
        self.out.push_back(frames::error(id, &reply.body));
    }

    /// The client has stopped listening.
    fn stop(&mut self, id: &str) {
        let Some(number) = self.numbers.remove(id) else { return };
        if let Some(running) = self.running.remove(&number) {
            running.abort.abort();
            if running.is_open {
                self.exchange.complete(number);
            }
        }
    }

    /// Takes an operation that was opened, or was not.
    pub(super) fn opened(&mut self, number: u64, opened: Result<Answers, Failed>) {
        match opened {
            Ok(answers) => {
                if let Some(running) = self.running.get_mut(&number) {
                    running.is_open = true;
                    self.exchange.subscribe(number, answers);
                }
            }
            Err(Failed::Close(close)) => self.close(close),
            Err(Failed::Refused(reply)) => {
                if let Some(running) = self.finish(number, reply.error) {
                    metrics::count_operation(reply.error);
                    self.out.push_back(frames::error(&running.id, &reply.body));
                }
            }
        }
    }

    /// Takes a message of the library.
    pub(super) fn sent(&mut self, output: Output) {
        match output {
            Output::Ack => {
                self.phase = Phase::Open;
                self.out.push_back(frames::ack());
            }
            Output::Next(number, body) => {
                if let Some(running) = self.running.get_mut(&number) {
                    running.line.answers += 1;
                    self.out.push_back(frames::next(&running.id, &body));
                }
            }
            Output::Complete(number, None) => {
                if let Some(running) = self.finish(number, None) {
                    self.out.push_back(frames::complete(&running.id));
                }
            }
            Output::Complete(number, Some(reply)) => {
                let Some(running) = self.finish(number, reply.error) else { return };
                match Ending::of(&reply) {
                    Ending::Forbidden => self.close(Close::FORBIDDEN),
                    Ending::TryLater => self.close(Close::TRY_LATER),
                    Ending::Errors => self.out.push_back(frames::error(&running.id, &reply.body)),
                }
            }
            Output::Unexpected => {
                tracing::error!("the WebSocket library sent what it should not");
                self.close(Close::INTERNAL);
            }
        }
    }

    /// Removes an operation that has ended.
    fn finish(&mut self, number: u64, code: Option<Code>) -> Option<Running> {
        let mut running = self.running.remove(&number)?;
        self.numbers.remove(&running.id);
        running.line.code = code;
        Some(running)
    }
}
