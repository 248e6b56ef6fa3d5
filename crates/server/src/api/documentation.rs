//! What an operation says about itself in the OpenAPI document. What holds for all of them, it must leave to
//! `openapi`.

use super::error_code::ErrorCode;
use axum::http::{Method, StatusCode};
use serde_json::Value;

/// One method of a route: `Route::operation(…).describe(documentation)`. Schemas are JSON Schema, as OpenAPI 3.1 has
/// them.
pub struct Documentation {
    pub(super) method: Method,
    /// The `operationId`, by which clients know the operation.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    /// Any one of these sets will do.
    pub(super) scopes: Vec<Vec<&'static str>>,
    /// OpenAPI's Parameter Objects.
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    /// Of a body.
    pub(super) example: Option<Value>,
    pub(super) answers: Vec<Answer>,
    pub(super) refusals: Vec<ErrorCode>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    /// Media types and schemas; the client chooses among several by `Accept`.
    pub(super) content: Vec<(&'static str, Value)>,
    pub(super) example: Option<Value>,
    pub(super) tells_when_to_retry: bool,
}

impl Documentation {
    /// `description` is Markdown.
    pub fn new(method: Method, id: &'static str, summary: &'static str, description: &'static str) -> Self {
        Self {
            method,
            id,
            summary,
            description,
            scopes: Vec::new(),
            parameters: Vec::new(),
            body: None,
            example: None,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// A scope that is enough by itself.
    #[must_use]
    pub fn scope(mut self, scope: &'static str) -> Self {
        self.scopes.push(vec![scope]);
        self
    }

    /// Scopes that are enough together.
    #[must_use]
    pub fn scopes(mut self, scopes: &[&'static str]) -> Self {
        self.scopes.push(scopes.to_vec());
        self
    }

    /// In the path, the query or a header.
    #[must_use]
    pub fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Required.
    #[must_use]
    pub fn body(mut self, schema: Value, example: Value) -> Self {
        self.body = Some(schema);
        self.example = Some(example);
        self
    }

    /// A success without content.
    #[must_use]
    pub fn answer(mut self, status: StatusCode, description: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            description,
            content: Vec::new(),
            example: None,
            tells_when_to_retry: false,
        });
        self
    }

    /// A success with content.
    #[must_use]
    pub fn answer_with(
        mut self,
        status: StatusCode,
        description: &'static str,
        media_type: &'static str,
        schema: Value,
    ) -> Self {
        let content = vec![(media_type, schema)];
        self.answers.push(Answer { status, description, content, example: None, tells_when_to_retry: false });
        self
    }

    /// Another media type of the answer before it.
    #[must_use]
    pub fn or(mut self, media_type: &'static str, schema: Value) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.content.push((media_type, schema));
        }
        self
    }

    /// The answer before it may have `Retry-After`.
    #[must_use]
    pub fn tells_when_to_retry(mut self) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.tells_when_to_retry = true;
        }
        self
    }

    /// Of the content of the answer before it.
    #[must_use]
    pub fn example(mut self, example: Value) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.example = Some(example);
        }
        self
    }

    /// Refusals that not every operation has.
    #[must_use]
    pub fn refuses(mut self, codes: &[ErrorCode]) -> Self {
        self.refusals.extend(codes);
        self
    }
}
