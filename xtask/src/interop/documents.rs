//! The OpenAPI documents of a running host, as files that tools read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::demo::estate::Estate;

/// Fetched documents.
pub(super) struct Documents {
    /// One for each service.
    pub(super) services: Vec<Document>,
    /// Those of all that an agency may call: of the one that may call everything, and of one that may call a part.
    pub(super) agencies: Vec<Document>,
    /// That of the admin API.
    pub(super) admin: Document,
}

/// One document.
pub(super) struct Document {
    /// The service's name, or what else it is of.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
    /// How many operations it describes.
    pub(super) operations: usize,
}

impl Documents {
    /// Fetches them into a folder.
    pub(super) async fn fetch(estate: &Estate, folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut services = Vec::new();
        for service in estate.services() {
            let document = estate.office().get(&format!("/api/{service}/v1/openapi.json")).await?;
            services.push(Document::keep(&folder, service, &document)?);
        }
        let mut agencies = Vec::new();
        for (name, client) in [("agency", estate.office()), ("other-agency", estate.other())] {
            agencies.push(Document::keep(&folder, name, &client.get("/api/openapi.json").await?)?);
        }
        let document = estate.host.control()?.get("/admin/openapi.json").await?;
        Ok(Self { services, agencies, admin: Document::keep(&folder, "admin", &document)? })
    }

    /// How many operations the services have together.
    pub(super) fn operations(&self) -> usize {
        self.services.iter().map(|document| document.operations).sum()
    }
}

impl Document {
    /// Writes it with line breaks, so that tools can name a line.
    fn keep(folder: &Path, name: &str, document: &Value) -> Result<Self> {
        let path = folder.join(format!("{name}.json"));
        std::fs::write(&path, serde_json::to_string_pretty(document)?)?;
        let paths = document.get("paths").and_then(Value::as_object).context("the document has no paths")?;
        let members = paths.values().filter_map(Value::as_object).flatten();
        let operations = members.filter(|(_, member)| member.get("operationId").is_some()).count();
        Ok(Self { name: name.to_owned(), path, operations })
    }
}
