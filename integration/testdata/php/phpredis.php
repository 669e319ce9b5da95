<?php
// phpredis, the extension.

declare(strict_types=1);
require __DIR__ . '/lib.php';

drives(phpversion('redis'));

function connect($auth = TOKEN): Redis
{
    $kv = new Redis();
    $kv->connect(HOST, PORT, 10);
    if ($auth !== null) {
        $kv->auth($auth);
    }
    return $kv;
}

$kv = connect();

check('sign-in', function () use ($kv) {
    same(true, $kv->ping());
    same(true, connect([USER, TOKEN])->ping());
    same(true, connect(['user' => USER, 'pass' => TOKEN])->ping());
    refused('WRONGPASS', RedisException::class, fn () => connect('wrong'));
    refused('WRONGPASS', RedisException::class, fn () => connect(['acme/other', TOKEN]));
    refused('NOAUTH', RedisException::class, fn () => connect(null)->get('k'));
    $other = new Redis();
    $other->pconnect(HOST, PORT);
    same(true, $other->auth(TOKEN));
    same(true, $other->select(1));
});

check('values', function () use ($kv) {
    same(true, $kv->set('text', 'grüße', ['ex' => 100]));
    same('grüße', $kv->get('text'));
    $ttl = $kv->ttl('text');
    same(true, $ttl > 90 && $ttl <= 100);
    same(false, $kv->set('text', 'x', ['nx']));
    same(false, $kv->get('missing'));
    $bytes = "\0\1\xfe\xff\r\n";
    same(true, $kv->set('bytes', $bytes));
    same($bytes, $kv->get('bytes'));
    same([1, 6, 5], [$kv->incr('n'), $kv->incrBy('n', 5), $kv->decr('n')]);
    same(1.5, $kv->incrByFloat('f', 1.5));
    same(true, $kv->mSet(['a' => '1', 'b' => '2']));
    same(['1', false, '2'], $kv->mGet(['a', 'missing', 'b']));
    same([true, true], [$kv->expire('a', 100), $kv->persist('a')]);
    same('2', $kv->rawCommand('GETDEL', 'b'));
    same(2, $kv->del('a', 'bytes', 'missing'));
    same(true, $kv->rawCommand('KV.SET', 'doc', '{"a": 1}'));
    same('{"a":1}', $kv->rawCommand('KV.GET', 'doc'));
    // Its serializers make values of any kind fit.
    $typed = connect();
    $typed->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
    $typed->setOption(Redis::OPT_PREFIX, 'typed:');
    same(true, $typed->setex('k', 100, ['a' => [1, 2.5, null]]));
    same(['a' => [1, 2.5, null]], $typed->get('k'));
});

check('pipeline', function () use ($kv) {
    $pipe = $kv->pipeline();
    for ($i = 0; $i < 1000; $i++) {
        $pipe->set("many:$i", $i);
    }
    $replies = $pipe->incr('text')->get('many:7')->exec();
    same(array_fill(0, 1000, true), array_slice($replies, 0, 1000));
    same([false, '7'], array_slice($replies, 1000));
});

check('transaction', function () use ($kv) {
    same([true, 2], $kv->multi()->set('t', '1')->incr('t')->exec());
    $kv->watch('t');
    connect()->set('t', '10');
    same(false, $kv->multi()->incr('t')->exec());
    $kv->watch('t');
    same([11], $kv->multi()->incr('t')->exec());
});

check('scan', function () use ($kv) {
    $kv->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $seen = [];
    $cursor = null;
    while ($keys = $kv->scan($cursor, 'many:*', 100)) {
        $seen += array_flip($keys);
    }
    same(1000, count($seen));
});

check('pub/sub', function () use ($kv) {
    $sender = elsewhere('
        $kv = new Redis(); $kv->connect(HOST, PORT); $kv->auth(TOKEN);
        while ($kv->publish("news", "hello") < 1) usleep(10_000);');
    // In this release the loop goes on when nothing is subscribed to any more;
    // programs leave it by closing the connection.
    $got = null;
    refused('Connection closed', RedisException::class, function () use (&$got) {
        connect()->subscribe(['news'], function ($redis, $channel, $message) use (&$got) {
            $got = "$channel $message";
            $redis->close();
        });
    });
    same('news hello', $got);
    proc_close($sender);
    same(['news' => 0], $kv->pubsub('numsub', ['news']));
});

check('Lua', function () use ($kv) {
    same(2, $kv->eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", ['lua', 2], 1));
    $sha = $kv->script('load', "return {KEYS[1], ARGV[1], 7}");
    same([1], $kv->script('exists', $sha));
    same(['k', 'v', 7], $kv->evalSha($sha, ['k', 'v'], 1));
    same(true, $kv->script('flush'));
    same(false, $kv->evalSha($sha, ['k', 'v'], 1));
    same(true, str_starts_with($kv->getLastError(), 'NOSCRIPT'));
});

// What is refused with ERR is false and stands in getLastError; other codes are
// exceptions, or again false: that is decided by the extension.
check('errors', function () use ($kv) {
    foreach ([
        'SIZE_EXCEEDED' => fn () => $kv->set('big', str_repeat('x', 65537)),
        'BAD_INPUT' => fn () => $kv->set('two words', 'x'),
        'WRONGTYPE' => fn () => $kv->rawCommand('KV.GET', 'text'),
        'NOPERM' => fn () => $kv->rawCommand('APP.LIST'),
        'ERR unknown command' => fn () => $kv->lPush('list', 'x'),
    ] as $code => $run) {
        $kv->clearLastError();
        try {
            same(false, $run());
            $text = (string) $kv->getLastError();
        } catch (RedisException $e) {
            $text = $e->getMessage();
        }
        if (!str_starts_with($text, $code)) {
            throw new Exception("$code was expected: $text");
        }
    }
});

check('restart', function () use ($kv) {
    $kv->set('kept', 'v');
    restart();
    same('v', eventually(fn () => $kv->get('kept')));
});
