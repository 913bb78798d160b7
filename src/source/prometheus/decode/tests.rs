//! Tests of the decoder: API answers in one piece, split at every byte, broken, and hostile.

use super::*;
use crate::source::error::EXCERPT;

const BOUNDS: Bounds = Bounds { bytes: 100_000, points: 100 };

fn decode(chunks: &[&[u8]]) -> Result<QueryResult, DecodeError> {
    let mut decoder = Decoder::new(BOUNDS);
    for chunk in chunks {
        decoder.feed(chunk)?;
    }
    decoder.finish()
}

fn whole(text: &str) -> Result<QueryResult, DecodeError> {
    decode(&[text.as_bytes()])
}

fn result(kind: &str, result: &str) -> Result<QueryResult, DecodeError> {
    whole(&format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#))
}

const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
  {"metric":{"__name__":"süß","job":"a\"}]","x":"[1,2]"},
   "values":[[1435781430,"1"],[1435781430.781,"NaN"],[1435781445,"-1.5e3"],[1435781460,"+Inf"],
    [1.43578149e9,"0.25"]]}],
  "stats":{"samples":{"totalQueryableSamples":5,"values":[[1,"2"]]}}},
  "warnings":["one ☃","two"],"infos":["three"]}
"#;

#[test]
fn any_split_gives_the_same_answer() {
    let expected = whole(MATRIX).expect("valid");
    assert!(expected.success);
    assert_eq!(
        expected.times,
        [1_435_781_430_000, 1_435_781_430_781, 1_435_781_445_000, 1_435_781_460_000, 1_435_781_490_000]
    );
    assert_eq!((expected.values[0], expected.values[2], expected.values[4]), (1.0, -1500.0, 0.25));
    assert!(expected.values[1].is_nan() && expected.values[3].is_infinite());
    assert_eq!(expected.warnings, ["one ☃", "two", "three"]);
    let bytes = MATRIX.as_bytes();
    for at in 0..=bytes.len() {
        let split = decode(&[&bytes[..at], &bytes[at..]]).unwrap_or_else(|e| panic!("split at {at}: {e:?}"));
        assert_eq!(format!("{split:?}"), format!("{expected:?}"), "split at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(format!("{:?}", decode(&single)), format!("{:?}", Ok::<_, DecodeError>(expected)));
    for at in 1..bytes.len() - 1 {
        assert!(matches!(decode(&[&bytes[..at]]), Err(DecodeError::Malformed(_))), "cut at {at}");
    }
}

#[test]
fn each_kind_of_result_is_read() {
    let values = |kind, text| result(kind, text).map(|a| a.values);
    assert_eq!(values("vector", r#"[{"metric":{},"value":[1,"2.5"]}]"#), Ok(vec![2.5]));
    assert_eq!(values("vector", "[]"), Ok(vec![]));
    assert_eq!(values("matrix", "[]"), Ok(vec![]));
    assert_eq!(values("scalar", r#"[1435781451.781,"1"]"#), Ok(vec![1.0]));
    assert_eq!(values("string", r#"[1435781451.781,"foo"]"#), Err(DecodeError::NotNumeric("a string")));
    assert_eq!(
        values("vector", r#"[{"metric":{},"histogram":[1,{"count":"1"}]}]"#),
        Err(DecodeError::NotNumeric("native histograms"))
    );
    assert_eq!(
        values("vector", r#"[{"metric":{"a":"1"},"value":[1,"2"]},{"metric":{"a":"2"},"value":[1,"2"]}]"#),
        Err(DecodeError::ManySeries)
    );
}

#[test]
fn keys_may_come_in_any_order() {
    let text = r#"{"isPartial":true,"data":{"result":[{"values":[[60,"1"]],"metric":{"value":"x"}}],
        "resultType":"matrix"},"status":"success"}"#;
    let answer = whole(text).expect("valid");
    assert_eq!((answer.values, answer.warnings), (vec![1.0], vec!["the answer is partial".to_owned()]));
}

#[test]
fn an_error_of_the_api_is_an_answer() {
    let text = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5"}"#;
    let answer = whole(text).expect("valid");
    assert!(!answer.success);
    assert_eq!(
        (answer.error_type.as_str(), answer.error.as_str()),
        ("bad_data", "invalid parameter \"query\": 1:5")
    );
}

#[test]
fn what_is_no_answer_is_malformed() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "\"x\"",
        "<html></html>",
        r#"{"status":"success"}"#,
        r#"{"message":"unauthorized"}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"2","3"]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[["1","2"]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"x"]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[1,2]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1e300,"2"]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"values":[[[1],"2"]]}]}}"#,
        r#"{"status":"success","data":{"resultType":"streams","result":[]}}"#,
    ] {
        assert!(matches!(whole(text), Err(DecodeError::Malformed(_))), "{text}: {:?}", whole(text));
    }
}

#[test]
fn bytes_points_and_warnings_are_bounded() {
    let samples = vec![r#"[1,"1"]"#; 101].join(",");
    assert_eq!(
        result("matrix", &format!(r#"[{{"metric":{{}},"values":[{samples}]}}]"#)),
        Err(DecodeError::TooLarge { limit: 100, unit: "points" })
    );
    let blank = " ".repeat(100_001);
    assert_eq!(whole(&blank), Err(DecodeError::TooLarge { limit: 100_000, unit: "bytes" }));
    let warnings = vec![format!("\"{}\"", "w".repeat(1_000)); 50].join(",");
    let answer = whole(&format!(
        r#"{{"status":"success","warnings":[{warnings}],"data":{{"resultType":"vector","result":[]}}}}"#
    ))
    .expect("valid");
    assert_eq!((answer.warnings.len(), answer.warnings[0].chars().count()), (MAX_NOTES, EXCERPT + 1));
}
