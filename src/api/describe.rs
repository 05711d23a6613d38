//! The OpenAPI description, made from the handlers and the shapes that they take and give.

use std::sync::OnceLock;

use aide::generate::GenContext;
use aide::openapi::{
    Info, OpenApi, Operation, ParameterData, ParameterSchemaOrContent, PathStyle, Response as Described, SchemaObject,
    SecurityScheme,
};
use aide::openapi::{Parameter, ReferenceOr};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use aide::{OperationInput, OperationOutput};
use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;

use super::answer::Failure;
use super::body::{Asked, Body, MaybeBody, Named};
use super::route;
use crate::wire::ErrorJson;

/// Answers with the description.
pub async fn description() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], document()).into_response()
}

/// Returns the description as JSON.
fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut api = OpenApi {
            info: Info {
                title: "watchkeeper".to_owned(),
                description: Some(
                    "What an engine is asked and told, over its Unix socket, or with a token over 127.0.0.1. Keys may be \
                     added; clients pass over those that they do not know."
                        .to_owned(),
                ),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..Info::default()
            },
            ..OpenApi::default()
        };
        // Asked for over the network alone: the socket lets nobody in but its user.
        let _router = route::routes().finish_api_with(&mut api, |api| {
            let token = SecurityScheme::Http {
                scheme: "bearer".to_owned(),
                bearer_format: None,
                description: Some("What `api.token` in the data directory holds; not asked for over the socket".to_owned()),
                extensions: Default::default(),
            };
            api.security_scheme("token", token).security_requirement("token").default_response::<Json<ErrorJson>>()
        });
        put_names(&mut api);
        serde_json::to_string(&api).expect("a description has text keys only")
    })
}

/// Gives each parameter of a path the name that it has there: `{run}`.
fn put_names(api: &mut OpenApi) {
    let items = api.paths.iter_mut().flat_map(|paths| &mut paths.paths);
    for (path, item) in items {
        let Some((_, rest)) = path.split_once('{') else { continue };
        let name = rest.split('}').next().unwrap_or_default();
        let ReferenceOr::Item(item) = item else { continue };
        for operation in [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
            for parameter in &mut operation.parameters {
                if let ReferenceOr::Item(Parameter::Path { parameter_data, .. }) = parameter {
                    name.clone_into(&mut parameter_data.name);
                }
            }
        }
    }
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        Json::<T>::operation_input(context, operation);
    }
}

impl<T: JsonSchema> OperationInput for MaybeBody<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        Json::<T>::operation_input(context, operation);
        if let Some(body) = operation.request_body.as_mut().and_then(ReferenceOr::as_item_mut) {
            body.required = false;
        }
    }
}

impl<T: JsonSchema> OperationInput for Asked<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let schema = context.schema.subschema_for::<T>();
        let parameters = parameters_from_schema(context, schema, ParamLocation::Query);
        add_parameters(context, operation, parameters);
    }
}

impl OperationInput for Named {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let schema =
            SchemaObject { json_schema: context.schema.subschema_for::<String>(), external_docs: None, example: None };
        // What the route calls it is not known here: `put_names` says it.
        let parameter_data = ParameterData {
            name: String::new(),
            description: None,
            required: true,
            deprecated: None,
            format: ParameterSchemaOrContent::Schema(schema),
            example: None,
            examples: Default::default(),
            explode: None,
            extensions: Default::default(),
        };
        operation.parameters.push(ReferenceOr::Item(Parameter::Path { parameter_data, style: PathStyle::Simple }));
    }
}

impl OperationOutput for Failure {
    type Inner = ErrorJson;

    fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<Described> {
        Json::<ErrorJson>::operation_response(context, operation)
    }

    fn inferred_responses(context: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Described)> {
        // Every other status.
        Failure::operation_response(context, operation).map(|response| (None, response)).into_iter().collect()
    }
}
