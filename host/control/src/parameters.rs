//! Path and query parameters, with every fault told by its name.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query as AxumQuery, RawPathParams};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use truc_model::{Code, Fault};

use crate::body::pointer;
use crate::refusal::Refusal;
use crate::server::Control;

/// The parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Control>> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, control: &Arc<Control>) -> Result<Self, Refusal> {
        let values = RawPathParams::from_request_parts(parts, control)
            .await
            .map_err(|error| Refusal::new(Code::MalformedRequest, error.body_text()))?;
        let values = MapDeserializer::<_, serde::de::value::Error>::new(values.iter());
        serde_path_to_error::deserialize(values).map(Self).map_err(|error| {
            let pointer = pointer(error.path());
            Refusal::faults(vec![Fault { pointer, detail: error.into_inner().to_string() }])
        })
    }
}

/// The parameters of a query, taken one by one; whatever is left over at the end is a fault.
pub(crate) struct Query {
    values: BTreeMap<String, String>,
    faults: Vec<Fault>,
    known: Vec<&'static str>,
}

impl FromRequestParts<Arc<Control>> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Control>) -> Result<Self, Refusal> {
        let pairs = AxumQuery::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| Refusal::new(Code::MalformedRequest, error.body_text()))?;
        let mut query = Self { values: BTreeMap::new(), faults: Vec::new(), known: Vec::new() };
        for (name, value) in pairs.0 {
            if query.values.insert(name.clone(), value).is_some() {
                query.fault(&name, "the parameter stands twice: leave one");
            }
        }
        Ok(query)
    }
}

impl Query {
    /// Takes a parameter, if it is there.
    pub(crate) fn take<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        self.take_with(name, |text| text.parse().map_err(|error: T::Err| error.to_string()))
    }

    /// Takes a parameter that is read in its own way.
    pub(crate) fn take_with<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.known.push(name);
        let value = self.values.remove(name)?;
        read(&value).map_err(|detail| self.fault(name, detail)).ok()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault that was found.
    pub(crate) fn finish(mut self) -> Result<(), Refusal> {
        let known = self.known.join(", ");
        for name in std::mem::take(&mut self.values).into_keys() {
            self.fault(&name, format!("there is no such parameter; there are {known}"));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Refusal::faults(self.faults)) }
    }

    fn fault(&mut self, name: &str, detail: impl Into<String>) {
        let name: String = name.chars().take(80).collect();
        self.faults.push(Fault { pointer: format!("/{name}"), detail: detail.into() });
    }
}
