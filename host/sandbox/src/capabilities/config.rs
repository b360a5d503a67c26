//! `truc:connector/config`: the values the operator set, over the manifest's defaults.

use truc_contract::ConfigValue;

use super::bindings::truc::connector::config::{Host, Value};
use crate::call::Call;

impl Host for Call {
    fn get(&mut self, key: String) -> Option<Value> {
        self.environment.config.get(key.as_str()).map(|value| match value {
            ConfigValue::Text(text) => Value::Text(text.clone()),
            ConfigValue::Integer(number) => Value::Integer(*number),
            ConfigValue::Flag(flag) => Value::Flag(*flag),
            ConfigValue::Texts(texts) => Value::Texts(texts.clone()),
        })
    }
}
