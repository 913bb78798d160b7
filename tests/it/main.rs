mod source;
mod support;
