//! What was written is read back; damaged or foreign files and those of another key are not.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::units::Step;

const NOW: Time = Time::from_epoch(1_764_000_000);

fn key(query: &str, origin: &str) -> SeriesKey {
    let key = FeedKey {
        datasource: "default".to_owned(),
        query: query.to_owned(),
        step: Step::MINUTE,
        window: Span::DAY,
    };
    SeriesKey::new(&key, Span::seconds(30), origin)
}

fn series() -> Series {
    let values = (0..500).map(|i| if i % 7 == 3 { f64::NAN } else { f64::from(i) * 0.1 });
    Series::from_values(NOW, Step::MINUTE, values).compact()
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(&dir.path().join("state"), NOW).expect("usable");
    (dir, store)
}

#[test]
fn a_series_comes_back_bit_for_bit_and_only_under_its_key() {
    let (_dir, store) = open();
    store.keep_series(&key("q", "http://a"), &series());
    let back = store.series(&key("q", "http://a")).expect("kept");
    assert_eq!(back.start(), series().start());
    let bits = |s: &Series| s.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(&series()));
    for other in [key("p", "http://a"), key("q", "http://b")] {
        assert!(store.series(&other).is_none());
        // The same file under the name of another key: the key inside the file decides.
        fs::copy(store.dir.join(key("q", "http://a").file()), store.dir.join(other.file())).expect("copied");
        assert!(store.series(&other).is_none());
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let frame = frame::encode("key", &series());
    assert!(frame::decode(&frame, "key").is_ok());
    for at in 0..frame.len() {
        let mut torn = frame.clone();
        torn[at] ^= 1 << (at % 8);
        assert!(frame::decode(&torn, "key").is_err(), "byte {at}");
        assert!(frame::decode(&frame[..at], "key").is_err(), "cut at {at}");
    }
    assert!(frame::decode(&[&frame[..], b"x"].concat(), "key").is_err());
}

#[test]
fn workloads_come_back_without_what_may_be_secret() {
    let (_dir, store) = open();
    let id = WorkloadId::new("shop", "web", "forescale").expect("names");
    let secrets = ["caCert", "tlsClientCert", "tlsClientKey", "tokenFromEnv", "scalerAddress"];
    let pairs = secrets.iter().map(|key| (*key, "hunter2")).chain([("query", "up"), ("threshold", "1")]);
    let metadata: HashMap<String, String> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    store.keep_workloads(&[row(&id, &metadata)]);
    let file = store.dir.join(WORKLOADS);
    let text = fs::read_to_string(&file).expect("written");
    assert!(!text.contains("hunter2") && !secrets.iter().any(|s| text.contains(s)), "{text}");
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&store.dir).expect("there").permissions().mode() & 0o777, 0o700);
    let known = store.workloads();
    assert_eq!(known.len(), 1);
    assert_eq!((&known[0].id, known[0].metadata.len()), (&id, 2));
    for text in ["", "{", "[]", "{\"version\":2,\"workloads\":[]}", "{\"version\":1,\"workloads\":[{}]}"] {
        fs::write(&file, text).expect("written");
        assert!(store.workloads().is_empty(), "{text}");
    }
}

#[test]
fn what_nobody_writes_any_more_is_removed_and_strangers_stay() {
    let (dir, store) = open();
    store.keep_series(&key("q", "a"), &series());
    let stranger = dir.path().join("state/notes.txt");
    fs::write(&stranger, "mine").expect("written");
    let later = Time::from_epoch(4_000_000_000);
    Store::open(&store.dir, later).expect("usable");
    assert!(store.series(&key("q", "a")).is_none() && stranger.exists());
    assert!(Store::open(&stranger, later).is_none(), "a file is no directory");
}
