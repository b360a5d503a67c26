//! The capabilities of the test double, function for function those that the real host offers.

/// Calls to upstreams, answered by the test's script.
pub(crate) mod upstream {
    use crate::testing::{State, with_state};
    use crate::wit::upstream::{Error, Method, Request, Response};

    pub(crate) fn call(request: &Request) -> Result<Response, Error> {
        with_state(|state| answer(state, request))
    }

    pub(crate) fn call_all(requests: &[Request]) -> Vec<Result<Response, Error>> {
        requests.iter().map(call).collect()
    }

    fn answer(state: &mut State, request: &Request) -> Result<Response, Error> {
        let line = format!("{} {}", method(request.method), request.path);
        state.manifest.check_request(&request.upstream, &line).map_err(Error::Denied)?;
        check_parameters(request)?;
        state.requests.push(request.clone());
        let script = state.scripts.get_mut(&(request.upstream.clone(), line.clone()));
        match script.and_then(|script| script.next()) {
            Some(answer) => answer.0,
            None => panic!("upstream `{}`: the test has no answer to \"{line}\"", request.upstream),
        }
    }

    /// Each parameter of the template has a value, and nothing else has one.
    fn check_parameters(request: &Request) -> Result<(), Error> {
        let mut named: Vec<_> = request
            .path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        let mut given: Vec<_> = request.parameters.iter().map(|(name, _)| name.as_str()).collect();
        named.sort_unstable();
        given.sort_unstable();
        match named == given {
            true => Ok(()),
            false => {
                Err(Error::Denied(format!("`{}` has the parameters {named:?}, not {given:?}", request.path)))
            }
        }
    }

    fn method(method: Method) -> &'static str {
        match method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// Configuration: what the test set, else the manifest's default.
pub(crate) mod config {
    use crate::testing::with_state;
    use crate::wit::config::Value;

    pub(crate) fn get(key: &str) -> Option<Value> {
        with_state(|state| state.config.get(key).cloned().or_else(|| state.manifest.default(key)))
    }
}

/// Keys: the functions the test bound.
pub(crate) mod keys {
    use crate::testing::{KeyUse, with_state};
    use crate::wit::keys::Error;

    const LARGEST: usize = 1 << 20;

    pub(crate) fn mac(key: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        apply(key, KeyUse::Mac, message, &[])
    }

    pub(crate) fn digest(key: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        apply(key, KeyUse::Digest, message, &[])
    }

    pub(crate) fn sign(key: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        apply(key, KeyUse::Sign, message, &[])
    }

    pub(crate) fn verify(key: &str, message: &[u8], signature: &[u8]) -> Result<bool, Error> {
        apply(key, KeyUse::Verify, message, signature).map(|verdict| verdict == [1])
    }

    fn apply(key: &str, key_use: KeyUse, message: &[u8], signature: &[u8]) -> Result<Vec<u8>, Error> {
        if message.len() > LARGEST {
            return Err(Error::TooLarge(LARGEST as u64));
        }
        let function = with_state(|state| {
            state.manifest.check_key(key, key_use).map_err(Error::Denied)?;
            Ok(state.keys.get(&(key.to_owned(), key_use)).cloned())
        })?;
        match function {
            Some(function) => Ok(function(message, signature)),
            None => panic!("key `{key}`: the test has bound no function for {key_use:?}"),
        }
    }
}

/// A cache that lives as long as the test's host.
pub(crate) mod cache {
    use crate::testing::with_state;
    use crate::wit::cache::Error;

    const LARGEST_KEY: usize = 256;
    const LARGEST_VALUE: usize = 256 << 10;
    const A_DAY: u32 = 24 * 60 * 60 * 1_000;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        with_state(|state| {
            let (value, until) = state.cache.get(key)?;
            (state.now < *until).then(|| value.clone())
        })
    }

    pub(crate) fn put(key: &str, value: &[u8], ttl: u32) -> Result<(), Error> {
        if key.len() > LARGEST_KEY {
            return Err(Error::TooLarge(LARGEST_KEY as u64));
        }
        if value.len() > LARGEST_VALUE {
            return Err(Error::TooLarge(LARGEST_VALUE as u64));
        }
        with_state(|state| {
            let until = state.now + u64::from(ttl.min(A_DAY));
            state.cache.insert(key.to_owned(), (value.to_owned(), until));
        });
        Ok(())
    }
}

/// Log lines, kept for the test to look at.
pub(crate) mod log {
    use crate::testing::with_state;
    use crate::wit::log::Level;

    pub(crate) fn write(level: Level, message: &str) {
        with_state(|state| state.lines.push((level, message.to_owned())));
    }
}

/// A clock that stands where the test set it.
pub(crate) mod clock {
    use crate::testing::with_state;

    pub(crate) fn now() -> u64 {
        with_state(|state| state.now)
    }

    pub(crate) fn monotonic() -> u64 {
        now()
    }
}

/// Bytes that count up from zero: no two the same for a while, the same in every run.
pub(crate) mod random {
    use crate::testing::with_state;

    pub(crate) fn bytes(count: u32) -> Vec<u8> {
        with_state(|state| {
            (0..count.min(4_096))
                .map(|_| {
                    let byte = state.random;
                    state.random = byte.wrapping_add(1);
                    byte
                })
                .collect()
        })
    }
}

/// The caller the test named.
pub(crate) mod caller {
    use crate::testing::with_state;
    use crate::wit::caller::Identity;

    pub(crate) fn current() -> Identity {
        with_state(|state| state.caller.clone())
    }

    pub(crate) fn time_left() -> u32 {
        with_state(|state| state.time_left)
    }
}
