//! Routes of one revision: method and path to operation, worked out at publication.

use std::collections::HashMap;
use std::sync::Arc;

use truc_contract::{Contract, Method, Segment};

/// A table of methods for each path.
#[derive(Default)]
struct Methods([Option<usize>; 6]);

/// The routes of a contract.
pub struct Routes {
    router: matchit::Router<Methods>,
    /// The JSON names of each operation's path parameters, in order.
    parameters: Vec<Arc<[Arc<str>]>>,
}

/// What a method and path lead to.
#[derive(Debug)]
pub enum RouteMatch<'r, 'p> {
    /// An operation, with the names and encoded values of its path parameters.
    Operation {
        /// Its index in the contract.
        index: usize,
        /// The path parameters.
        parameters: Vec<(&'r str, &'p str)>,
    },
    /// The path exists with other methods.
    OtherMethods(Vec<Method>),
    /// No such path.
    None,
}

const fn slot(method: Method) -> usize {
    match method {
        Method::Get | Method::Head => 0,
        Method::Post => 1,
        Method::Put => 2,
        Method::Patch => 3,
        Method::Delete => 4,
    }
}

impl Routes {
    /// The routes of a contract, whose operations have different routes.
    ///
    /// # Errors
    /// A pair of routes that the router cannot tell apart; the text names it.
    pub fn of(contract: &Contract) -> Result<Self, String> {
        let mut tables: HashMap<String, Methods> = HashMap::new();
        let mut parameters = Vec::new();
        for (index, operation) in contract.operations.iter().enumerate() {
            // Parameters by position, so that routes may name the same segment differently.
            let mut position = 0;
            let path: String = operation
                .path
                .segments()
                .iter()
                .map(|segment| match segment {
                    Segment::Literal(text) => format!("/{text}"),
                    Segment::Parameter(_) => {
                        position += 1;
                        format!("/{{p{position}}}")
                    }
                })
                .collect();
            let path = if path.is_empty() { "/".to_owned() } else { path };
            if let Some(entry) = tables.entry(path).or_default().0.get_mut(slot(operation.method)) {
                *entry = Some(index);
            }
            parameters.push(operation.path.parameters().map(Arc::from).collect());
        }
        let mut router = matchit::Router::new();
        for (path, methods) in tables {
            router.insert(path, methods).map_err(|error| error.to_string())?;
        }
        Ok(Self { router, parameters })
    }

    /// Finds the operation. `path` begins with `/` and is as it came, percent-encoded.
    pub fn find<'p>(&self, method: Option<Method>, path: &'p str) -> RouteMatch<'_, 'p> {
        let Ok(found) = self.router.at(path) else { return RouteMatch::None };
        let index = method.and_then(|method| found.value.0.get(slot(method)).copied().flatten());
        let Some(index) = index else { return RouteMatch::OtherMethods(found.value.allowed()) };
        let names = self.parameters.get(index).map(|names| &**names).unwrap_or_default();
        let values = found.params.iter().map(|(_, value)| value);
        RouteMatch::Operation { index, parameters: names.iter().map(|name| &**name).zip(values).collect() }
    }
}

impl Methods {
    fn allowed(&self) -> Vec<Method> {
        Method::ALL
            .into_iter()
            .filter(|method| self.0.get(slot(*method)).copied().flatten().is_some())
            .collect()
    }
}
