//! The OpenAPI document, made from the handlers.

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{OpenApi, PartialSchema, ToSchema};

/// Bytes, in the document's terms.
pub(crate) enum Binary {}

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).into()
    }
}

impl ToSchema for Binary {}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cairn gateway",
        description = "Reports in, a public log and recomputable rewards out. Amounts are decimal strings of base units, \
            hashes lower-case hexadecimal, times milliseconds since 1970 UTC. Every error is a problem document (RFC 9457) \
            with a stable `code`.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    paths(
        crate::submit::reports,
        crate::submit::statements,
        crate::submit::observations,
        crate::log_files::checkpoint,
        crate::log_files::tile,
        crate::log_files::proof,
        crate::witnessed::witnessed,
        crate::ledger_pages::network,
        crate::ledger_pages::device,
        crate::ledger_pages::device_epoch,
        crate::ledger_pages::account,
        crate::ledger_pages::credits,
        crate::ledger_pages::policy,
        crate::ledger_pages::policy_by_hash,
        crate::ledger_pages::profile_by_hash,
        crate::epochs::epochs,
        crate::epochs::epoch,
        crate::epochs::verdicts,
        crate::epochs::payouts,
        crate::sales::sales,
        crate::sales::sale,
        crate::epochs::carry,
        crate::epochs::snapshot,
        crate::jobs::jobs,
        crate::jobs::job,
        crate::jobs::offers,
        crate::jobs::quote,
        crate::blobs::routes::put,
        crate::blobs::routes::get,
        crate::blobs::routes::head,
        crate::auditors::signatures,
        crate::auditors::sign,
        crate::buying::buy,
        crate::buying::payment,
        crate::mcp::mcp,
        crate::events::events,
        crate::health::health,
        crate::routes::openapi,
        crate::routes::index,
    )
)]
struct Document;

/// The document, as `/openapi.json` serves it and `docs/reference/openapi.json` keeps it.
///
/// # Panics
/// Never: the document is strings and numbers.
#[must_use]
pub fn openapi_json() -> String {
    Document::openapi().to_pretty_json().expect("the document is strings and numbers") + "\n"
}

/// Every route with its method and first line, in the order of paths.
pub(crate) fn routes() -> Vec<(&'static str, String, String)> {
    let document = Document::openapi();
    let mut routes = Vec::new();
    for (path, item) in document.paths.paths {
        for (method, operation) in [("GET", item.get), ("HEAD", item.head), ("POST", item.post), ("PUT", item.put)] {
            let Some(operation) = operation else { continue };
            routes.push((method, path.clone(), operation.summary.unwrap_or_default()));
        }
    }
    routes
}
