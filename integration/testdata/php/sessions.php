<?php
// PHP's sessions in phpredis's session handler, with its locks.

declare(strict_types=1);
require __DIR__ . '/lib.php';

drives(phpversion('redis'));

ini_set('session.save_handler', 'redis');
ini_set('session.save_path', 'tcp://' . HOST . ':' . PORT . '?' . http_build_query(['auth' => [USER, TOKEN], 'prefix' => 'sess:']));
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');
ini_set('redis.session.locking_enabled', '1');
ini_set('redis.session.lock_wait_time', '10000'); // microseconds
ini_set('redis.session.lock_retries', '500');
ini_set('redis.session.lock_expire', '30'); // seconds; what max_execution_time is on a web server

$kv = new Redis();
$kv->connect(HOST, PORT);
$kv->auth(TOKEN);

/** Opens the session, lets it be changed, and writes it. */
function visit(callable $page)
{
    session_id('visitor');
    same(true, session_start());
    $result = $page();
    same(true, session_write_close());
    $_SESSION = [];
    return $result;
}

// What a web server runs next to this process.
$another = 'ini_set("session.save_handler", "redis");
    ini_set("session.use_cookies", "0");
    ini_set("session.save_path", ' . var_export(ini_get('session.save_path'), true) . ');
    ini_set("redis.session.locking_enabled", "1");
    ini_set("redis.session.lock_wait_time", "10000");
    session_id("visitor");';

check('a session is kept', function () use ($kv) {
    visit(fn () => $_SESSION['cart'] = ['apples' => 3, 'note' => 'grün']);
    same(['apples' => 3, 'note' => 'grün'], visit(fn () => $_SESSION['cart']));
    $ttl = $kv->ttl('sess:visitor');
    same(true, $ttl > 1400 && $ttl <= 1440);
});

check('a session is locked', function () use ($kv, $another) {
    visit(function () use ($kv, $another) {
        same(1, $kv->exists('sess:visitor_LOCK'));
        same(true, $kv->pttl('sess:visitor_LOCK') > 0);
        // It gives up at once, and cannot have the session.
        same(7, proc_close(elsewhere($another . '
            ini_set("redis.session.lock_retries", "0");
            try { session_start(); } catch (ErrorException $e) { exit(7); }')));
        $_SESSION['cart']['apples']++;
    });
    same(0, $kv->exists('sess:visitor_LOCK')); // a script has released it
    same(0, proc_close(elsewhere($another . 'session_start(); $_SESSION["cart"]["apples"]++;')));
    same(5, visit(fn () => $_SESSION['cart']['apples']));
});

check('who waits gets the lock', function () use ($another) {
    $waiter = null;
    visit(function () use (&$waiter, $another) {
        $waiter = elsewhere($another . '
            ini_set("redis.session.lock_retries", "1000");
            session_start(); $_SESSION["cart"]["apples"]++;');
        $_SESSION['cart']['apples'] = 10;
    });
    same(0, proc_close($waiter));
    same(11, visit(fn () => $_SESSION['cart']['apples']));
});

check('a session is destroyed', function () use ($kv) {
    session_id('visitor');
    session_start();
    same(true, session_destroy());
    same(0, $kv->exists('sess:visitor', 'sess:visitor_LOCK'));
});
