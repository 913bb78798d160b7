//! Tests of requests that are sent at the same time, and of requests that wait for their turn.

use super::*;

#[tokio::test]
async fn first_questions_at_the_same_time_all_turn_to_get() {
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let app = axum::Router::new().fallback(move |request: Request| {
        let both = Arc::clone(&both);
        async move {
            if request.method() == Method::POST {
                // Each POST is refused, but only after both have arrived.
                both.wait().await;
                return respond(405, "text/plain", "no");
            }
            matrix(&[(60_000, "1".to_owned())])
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = DataSourceConfig::at(base_url(&format!("http://{address}")).expect("an address"));
    let source = Prometheus::new("x", config, &Limits::default());
    let range = question(1);
    let (one, two) = tokio::join!(source.series(&range), source.series(&range));
    assert_eq!((one.expect("answered").observed(), two.expect("answered").observed()), (1, 1));
}

#[tokio::test]
async fn turns_are_not_saved_up_while_a_place_is_waited_for() {
    let sent: Arc<Mutex<Vec<tokio::time::Instant>>> = Arc::default();
    let times = Arc::clone(&sent);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (first, release) = tokio::sync::watch::channel(false);
    let app = axum::Router::new().fallback(move || {
        let (times, mut release) = (Arc::clone(&times), release.clone());
        async move {
            times.lock().expect("not poisoned").push(tokio::time::Instant::now());
            // All of the first requests are held until many more have had time to take a turn.
            let _ = release.wait_for(|released| *released).await;
            matrix(&[(60_000, "1".to_owned())])
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut config = DataSourceConfig::at(base_url(&format!("http://{address}")).expect("an address"));
    (config.max_concurrent, config.max_per_second) = (2, 20);
    let source = Arc::new(Prometheus::new("x", config, &Limits::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let source = Arc::clone(&source);
        tasks.spawn(async move { source.series(&question(1)).await });
    }
    // At twenty per second, twelve turns have passed by then.
    tokio::time::sleep(Duration::from_millis(700)).await;
    first.send_replace(true);
    while let Some(done) = tasks.join_next().await {
        done.expect("joined").expect("answered");
    }
    let sent = sent.lock().expect("not poisoned").clone();
    let burst = sent.windows(5).map(|five| five[4] - five[0]).min().expect("twelve");
    assert!(burst >= Duration::from_millis(100), "five requests within {burst:?} at twenty a second");
}
