//! The OpenAPI document of the admin API, collected from the handlers. The same program gives the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use truc_model::Code;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder, Server,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::server::Control;
use crate::{accounts, agencies, connectors, contracts, exchanges, grants, secrets, services};

const DESCRIPTION: &str = "\
What operators do: publish contracts and connectors, keep secrets, put services to work, enter agencies and their accounts, grant operations, and \
look at exchanges. Every error is a problem document (RFC 9457) with a stable `code`.";

/// What every operation can answer with, whatever it does.
const ALWAYS: &[Code] =
    &[Code::MissingKey, Code::WrongKey, Code::Internal, Code::StoreUnavailable, Code::DeadlineExceeded];

/// What every name in a path is made of. Whatever else comes is refused: what could be read as another path before
/// anything is looked up.
const NAME_IN_PATH: &str = "^[A-Za-z0-9][A-Za-z0-9._+-]*$";

/// The problems of one operation, for its `responses(…)`.
macro_rules! problems {
    ($name:ident: $($code:ident),* $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                crate::openapi::responses(&[$(truc_model::Code::$code),*])
            }
        }
    };
}
pub(crate) use problems;

/// A problem document (RFC 9457, `application/problem+json`).
#[derive(ToSchema)]
#[schema(as = ProblemDetails, rename_all = "camelCase")]
#[allow(dead_code, reason = "it describes what truc_model::Problem writes")]
struct ProblemDetails {
    /// `urn:truc:problem:` and the code.
    r#type: String,
    /// The same short sentence for every occurrence.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The stable code to program against.
    code: String,
    /// What happened this time.
    #[schema(nullable = false)]
    detail: Option<String>,
    /// Every fault that was found in the request.
    #[schema(nullable = false, value_type = Option<Vec<ProblemFault>>)]
    errors: Option<Vec<ProblemFault>>,
    /// Seconds to wait before trying again.
    #[schema(nullable = false)]
    retry_after: Option<u32>,
    /// The request's identifier.
    request_id: String,
}

/// One fault of a request.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what truc_model::Fault writes")]
struct ProblemFault {
    /// A JSON Pointer (RFC 6901) into the body; for parameters `/{name}`.
    pointer: String,
    /// What is wrong and what would be right.
    detail: String,
}

/// The bytes of a file.
pub(crate) struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<utoipa::openapi::Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Binary {}

/// Every resource, with its part of the document.
pub(crate) fn resources() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::with_openapi(base())
        .merge(contracts::routes())
        .merge(connectors::routes())
        .merge(services::routes())
        .merge(secrets::routes())
        .merge(agencies::routes())
        .merge(accounts::routes())
        .merge(grants::routes())
        .merge(exchanges::routes())
}

/// The document as it is served at `/admin/openapi.json`.
pub fn document() -> Vec<u8> {
    finish(resources().into_openapi())
}

fn base() -> OpenApi {
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The admin key.")).build();
    let mut components = Components::new();
    components.add_security_scheme("adminKey", SecurityScheme::Http(key));
    for (name, schema) in
        [("ProblemDetails", ProblemDetails::schema()), ("ProblemFault", ProblemFault::schema())]
    {
        components.schemas.insert(name.to_owned(), schema);
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Trục admin API")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION)),
        )
        .servers(Some([Server::new("/")]))
        .components(Some(components))
        .security(Some([SecurityRequirement::new("adminKey", Vec::<String>::new())]))
        .build()
}

/// Adds what holds for every operation, and writes the document.
pub(crate) fn finish(mut document: OpenApi) -> Vec<u8> {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for (status, response) in responses(ALWAYS) {
                operation.responses.responses.entry(status).or_insert(response);
            }
            bound_path(operation);
        }
    }
    serde_json::to_vec(&document).unwrap_or_default()
}

/// Says what the names in an operation's path are made of, and what comes of others.
fn bound_path(operation: &mut Operation) {
    let mut bound = false;
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.parameter_in == ParameterIn::Path
            && let Some(RefOr::T(Schema::Object(text))) = &mut parameter.schema
        {
            text.pattern.get_or_insert_with(|| NAME_IN_PATH.to_owned());
            bound = true;
        }
    }
    let malformed = responses(&[Code::MalformedRequest]);
    for (status, response) in malformed.into_iter().filter(|_| bound) {
        match (operation.responses.responses.get_mut(&status), response) {
            (Some(RefOr::T(known)), RefOr::T(more)) if !known.description.contains(&more.description) => {
                known.description = format!("{}\n{}", known.description, more.description);
            }
            (Some(_), _) => {}
            (None, response) => {
                operation.responses.responses.insert(status, response);
            }
        }
    }
}

/// One response for each status, which names the codes.
pub(crate) fn responses(codes: &[Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut lines: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for code in codes {
        lines.entry(code.status()).or_default().push(format!("* `{code}`: {}", code.title()));
    }
    let response = |(status, lines): (u16, Vec<String>)| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemDetails"))).build();
        let response = ResponseBuilder::new()
            .description(lines.join("\n"))
            .content("application/problem+json", content)
            .build();
        (status.to_string(), response.into())
    };
    lines.into_iter().map(response).collect()
}
