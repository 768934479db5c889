//! Errors and notices in Chinese, as a person meets them who has a browser that asks for Chinese pages.

use std::net::SocketAddr;

use crate::support::access::{AccessFile, bearer, secret};
use crate::support::client::{Response, send, send_raw};
use crate::support::person::{PASSWORD, Person};
use crate::support::{TestServer, soon};

const BROWSER: &str = "Accept: text/html,*/*;q=0.8\r\nAccept-Language: zh-CN,zh;q=0.9,en;q=0.5";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// A request, its status, and a part of what the page says.
type Row = (&'static str, &'static [u8], u16, &'static str);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Paths and methods
    ("GET /nowhere", b"", 404, "“/nowhere”这里什么都没有；频道的地址形如 /c/NAME。"),
    ("GET /nowhere", b"", 404, "<h1>404 未找到</h1>"),
    ("GET /%ff", b"", 400, "路径不是 UTF-8。"),
    ("DELETE /c/a", b"", 405, "这里不允许 DELETE；请用 GET, HEAD, POST, PUT, OPTIONS。"),
    ("POST /c/", b"x", 405, "这里不允许 POST；请用 GET, HEAD, OPTIONS。"),
    // Names of channels
    ("GET /c/a%20b", b"", 400, "频道名“a b”含有字符 ' '；可用的字符：A-Z a-z 0-9 . _ ~ -。"),
    ("GET /c/~own", b"", 400, "频道名“~own”以 ~ 开头；这样的频道属于服务器自己。"),
    ("GET /c/a,,b", b"", 400, "频道名“”是空的。"),
    ("GET /c/*a", b"", 400, "频道名“*a”不是模式：* 只能有一个，而且在末尾，例如 build.*。"),
    ("POST /c/a*", b"x", 400, "频道名“a*”是一个模式（含有 *），只能用来订阅；请写出一个频道的名字。"),
    ("POST /c/..", b"x", 400, "频道名“..”是 . 或 ..，网址无法表示它；请换一个名字。"),
    ("POST /c/a,b", b"x", 400, "一条消息只能发到一个频道；“a,b”写了多个。"),
    // Parameters of streams
    ("GET /c/a?sicne=now", b"", 400, "这里没有参数“sicne”；可用的有：as, since, "),
    ("GET /c/a?limit=1&limit=2", b"", 400, "limit=“2”：前面已经给了另一个值“1”。"),
    ("GET /c/a?as=smoke", b"", 400, "as=“smoke”：没有这种传输方式；请从这些中选一个：text, "),
    ("GET /c/a?since=yesterday", b"", 400, "since=“yesterday”：不是下列任何一种：游标（EPOCH-SEQ）、"),
    ("GET /c/a?until=tomorrow", b"", 400, "until=“tomorrow”：不是下列任何一种：now、"),
    ("GET /c/a?until=k3f9x2qa0b-17", b"", 400, "until=“k3f9x2qa0b-17”：这是另一个日志的游标；本日志的游标以 "),
    ("GET /c/a?limit=0", b"", 400, "limit=“0”：不是消息的条数；至少要是 1。"),
    ("GET /c/a?timeout=10", b"", 400, "timeout=“10”：不是时长；请写成 500ms、15s、10m 或 7d 这样。"),
    ("GET /c/a?timeout=0s", b"", 400, "timeout=“0s”：必须大于 0。"),
    ("GET /c/a?pace=1ms", b"", 400, "pace=“1ms”：不在 "),
    ("GET /c/a?heartbeat=100ms", b"", 400, "heartbeat=“100ms”：不在 1s 到 60s 之间。"),
    ("GET /c/a?wait=9h", b"", 400, "wait=“9h”：超过了上限 "),
    ("GET /c/a?retry=soon", b"", 400, "retry=“soon”：必须是毫秒数，最多 "),
    ("GET /c/a?names=maybe", b"", 400, "names=“maybe”：必须是 1 或 0。"),
    ("GET /c/a?tap=mine", b"", 400, "tap=“mine”：你没有为这些频道打开这个监听点（tap）；请用 POST /wire/tap 打开一个。"),
    ("GET /c/a?as=script&origin=https://x.example", b"", 400, "不允许 origin=“https://x.example”；"),
    // The list, and the probe
    ("GET /c/?limit=0", b"", 400, "limit=“0”：不是 1 到 "),
    ("GET /c/?as=script", b"", 400, "as=“script”：不是 json、ndjson、text、html 中的一个。"),
    ("GET /probe?as=text&lines=0", b"", 400, "lines=“0”：不是 1 到 "),
    ("GET /probe?as=text&quiet=9h", b"", 400, "quiet=“9h”：超过了上限 "),
    ("GET /probe?as=soap", b"", 400, "as=“soap”：探测没有这种形式；请从 text、sse、html 中选一个。"),
    // Messages
    ("POST /c/a", b"", 400, "消息是空的；请把文字放进正文，或者用 ?close=1 关闭频道。"),
    ("POST /c/a", b"a\xff!", 400, "消息不是 UTF-8：偏移 1 处的字节无效。"),
    ("POST /c/a\r\nContent-Length: 49154", b"", 413, "消息超过了 49152 字节的上限。"),
    ("POST /sender\r\nContent-Length: 999999", b"", 413, "表单超过了 "),
    ("POST /sender", b"msg=%FF", 400, "表单或查询中有一个字段不是 UTF-8。"),
    ("POST /sender", b"x=1", 400, "表单没有字段“msg”。"),
    ("POST /c/a?event=end", b"x", 400, "event=“end”：是服务器或浏览器自己的事件名（gap, end, "),
    ("POST /c/a?event=a%20b", b"x", 400, "event=“a b”：含有字符 ' '；可用的字符：A-Z a-z 0-9 . _ : -。"),
    ("POST /c/a?close=maybe", b"x", 400, "close=“maybe”：必须是 1 或 0。"),
    ("POST /c/a?form=2", b"x", 400, "form=“2”：既不是 1（字段 msg 是消息），也不是 json（所有字段合成消息）。"),
    // Keys and preconditions
    ("POST /c/a\r\nIdempotency-Key: one", b"x", 201, ""),
    ("POST /c/a\r\nIdempotency-Key: one", b"y", 422, "这个 Idempotency-Key 最近 10m 内已在这个频道用于另一条消息（序号 "),
    ("POST /c/a\r\nIdempotency-Key: ä", b"y", 400, "Idempotency-Key 含有字符 'ä'；可用的字符：可打印的 ASCII 字符。"),
    ("POST /c/a\r\nIf-Match: \"17\"", b"y", 400, "If-Match 的值“\\\"17\\\"”不是一个带双引号的游标；"),
    ("POST /c/a\r\nIf-None-Match: no", b"y", 400, "If-None-Match 的值“no”不是 *（"),
    ("POST /c/a\r\nIf-None-Match: *\r\nIf-Match: \"a-1\"", b"y", 400, "If-Match 与 If-None-Match 互相矛盾；"),
    ("POST /c/a\r\nIf-None-Match: *", b"y", 412, "没有追加：频道的最后一个条目是 "),
    ("POST /c/empty\r\nIf-Match: \"a-1\"", b"y", 412, "没有追加：频道还没有条目；"),
    ("PUT /c/a\r\nIf-None-Match: *", b"y", 400, "If-Match 和 If-None-Match 要与 POST 一起使用，"),
    // What a browser adds by itself
    ("POST /c/a\r\nOrigin: https://evil.example", b"x", 403, "这个请求来自另一来源的页面（https://evil.example），"),
    ("GET /c/a\r\nSec-Purpose: prefetch", b"", 503, "这个页面有副作用，或者永不结束，因此不能预取。"),
    ("POST /c/a\r\nContent-Encoding: gzip", b"x", 415, "不认识 Content-Encoding“gzip”；请原样发送正文。"),
    ("POST /c/a\r\nExpect: wonders", b"x", 417, "不认识 Expect“wonders”；"),
    // The mailbox
    ("POST /mailbox", b"me=Ada", 400, "表单没有字段“action”。"),
    ("POST /mailbox", b"action=burn", 400, "action=“burn”：既不是 send，也不是 receive。"),
    ("POST /mailbox", b"action=send&me=&toUserName=Ada&msg=x", 400, "me=“”：是空的。"),
    ("POST /mailbox", b"action=receive&me=A%0Ab", 400, "me=“A\\nb”：含有字符 '\\n'；可用的字符：除控制字符外都可以。"),
    ("POST /mailbox", b"action=receive&me=Ada&ack=x", 400, "ack=“x”：不是游标（"),
    ("POST /mailbox", b"action=receive&me=Ada&nme=x", 400, "这里没有参数“nme”；"),
    // The chat's doors
    ("POST /chat/login", b"name=Nobody&password=a+wrong+one", 401, "名字或密码不对"),
    ("POST /chat/login", b"name=+&password=a+wrong+one", 400, "名字是空的；至少要有一个看得见的字符"),
    ("POST /chat/register", b"name=Ada&password=short", 400, "密码太短：只有 5 个字符，至少要 8 个"),
    ("POST /chat/register", b"name=a++b&password=long+enough", 400, "名字里有连续的空格；请只用一个"),
    ("POST /chat/register", b"name=..&password=long+enough", 400, "名字是 . 或 ..，页面的地址里不能有它；请换一个"),
    ("POST /chat/register", b"name=p%D0%B0y&password=long+enough", 400, "名字混用了几种文字的字母，"),
    ("POST /chat/register", b"name=a%01&password=long+enough", 400, "名字里有不能使用的字符 U+0001；"),
    // Notices
    ("GET /sender", b"", 200, "已追加“new date: "),
    ("GET /sender\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document", b"", 200, "你是从别的网站过来的，所以还没有追加任何内容。"),
    ("GET /mailbox?sent=1&to=Ada", b"", 200, "已发送给 Ada。"),
    ("GET /c/a?timeout=1ms", b"", 200, ">1 人在看<"),
    ("GET /?class=1", b"", 200, ">还没有人在看<"),
    ("GET /c/a?timeout=1ms", b"", 200, "这个流到此结束。"),
    ("GET /c/a?timeout=1ms&since=999999", b"", 200, "这个游标超出了日志的末尾；流从下一条消息继续。"),
    ("POST /c/over?close=1", b"x", 201, ""),
    ("GET /c/over", b"", 200, "不会再有新内容：这个流订阅的频道已关闭。"),
    ("GET /c/", b"", 200, ">已关闭</span>"),
    ("GET /c/?prefix=none", b"", 200, "这里还没有频道。"),
    ("GET /c/?limit=1", b"", 200, ">更多频道</a>"),
    ("GET /probe?as=html&lines=1&quiet=0s", b"", 200, ">探测结束</p>"),
];

/// The text of a page, whose escapes are read.
fn read(page: &str) -> String {
    let escapes = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let read = |text: String, (escape, c): (&str, &str)| text.replace(escape, c);
    escapes.into_iter().fold(page.to_owned(), read)
}

/// Checks the answer to a request: its status, and that the page says this, and nothing in English for want of
/// Chinese.
async fn check(mut answer: Response, what: &str, status: u16, says: &str) {
    let page = read(&answer.text().await);
    assert_eq!(answer.status, status, "{what}\n{page}");
    assert!(page.contains(says), "{what}: {says}\n{page}");
    if status != 201 {
        assert_eq!(answer.header("content-language"), "zh-Hans", "{what}");
        assert!(page.contains("<html lang=\"zh-Hans\""), "{what}\n{page}");
        assert!(!page.contains("<span lang=\"en\">"), "{what}\n{page}");
    }
}

/// Asks as a browser does that sends a form.
async fn ask(addr: SocketAddr, request: &str, body: &[u8]) -> Response {
    let request = format!("{request}\r\n{BROWSER}\r\n{FORM}");
    soon(send(addr, &request, body)).await
}

/// Each request of the table is answered in Chinese, with the value that was wrong.
#[tokio::test]
async fn errors_and_notices_are_in_chinese() {
    let server = TestServer::start();
    for (request, body, status, says) in TABLE {
        let answer = ask(server.addr, request, body).await;
        check(answer, request, *status, says).await;
    }
    server.stop().await;
}

/// Programs get errors in English, and so do browsers that ask for English.
#[tokio::test]
async fn errors_stay_english_elsewhere() {
    let server = TestServer::start();
    for accept in [
        "Accept: application/json\r\nAccept-Language: zh-CN",
        "Accept: text/plain\r\nAccept-Language: zh-CN",
        "Accept: text/html\r\nAccept-Language: en",
        "Accept: text/html",
    ] {
        let mut answer = send(server.addr, &format!("GET /nowhere\r\n{accept}"), b"").await;
        let text = answer.text().await.to_lowercase();
        assert!(text.contains("there is nothing at "), "{accept}: {text}");
        assert!(!text.contains("什么都没有"), "{accept}: {text}");
    }
    server.stop().await;
}

/// A request under a name that is not the server's, or under none.
#[tokio::test]
async fn wrong_hosts_are_told_in_chinese() {
    let server = TestServer::start();
    for (host, status, says) in [
        (
            "Host: evil.example:81\r\n",
            421,
            "这台服务器不认识“evil.example”这个名字：",
        ),
        (
            "Host: a b\r\n",
            400,
            "Host 的值“a b”不是主机名加端口；请写成 Host: example.org:8080 这样。",
        ),
        ("Host: a\r\nHost: b\r\n", 400, "请求有多个 Host；"),
        ("", 400, "请求没有 Host；"),
    ] {
        let request = format!("GET / HTTP/1.1\r\n{host}{BROWSER}\r\nConnection: close\r\n\r\n");
        let answer = soon(send_raw(server.addr, request.as_bytes()))
            .await
            .unwrap();
        check(answer, host, status, says).await;
    }
    server.stop().await;
}

/// What somebody is told who is logged in to the chat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_problems_are_in_chinese() {
    let server = TestServer::start();
    let zoe = Person::new(server.addr, "Zoë").await;
    let long = format!("msg={}", "x".repeat(20_000));
    let [ben, _] = Person::friends(server.addr, "Ben", "Mia").await;
    for (who, request, body, status, says) in [
        (
            &zoe,
            "POST /chat/friends",
            "action=ask&name=Nobody",
            404,
            "没有名叫“Nobody”的账号",
        ),
        (
            &zoe,
            "POST /chat/friends",
            "action=ask&name=Zo%C3%AB",
            409,
            "不能加自己为好友；",
        ),
        (
            &zoe,
            "POST /chat/friends",
            "action=accept&name=Ben",
            409,
            "没有可以接受的请求；",
        ),
        (
            &zoe,
            "POST /chat/friends",
            "action=kiss&name=Ben",
            400,
            "action=“kiss”：必须是 ask、",
        ),
        (
            &zoe,
            "GET /chat/with/Ben",
            "",
            404,
            "你没有名叫“Ben”的好友；请先在 /chat 发送好友请求。",
        ),
        (
            &ben,
            "GET /chat/with/Mia?limit=0",
            "",
            400,
            "limit=“0”：不是 1 到 ",
        ),
        (
            &ben,
            "GET /chat/with/Mia?before=a-1",
            "",
            400,
            "before=“a-1”：这是另一个日志的游标；请重新加载页面。",
        ),
        (
            &ben,
            "POST /chat/with/Mia",
            "msg=",
            400,
            "msg=“”：内容是空的，请写点什么。",
        ),
        (&ben, "POST /chat/with/Mia", &long, 413, "消息超过了 "),
        (&ben, "GET /chat/with/Mia", "", 200, ">离线</span>"),
        (
            &zoe,
            "POST /chat/password",
            "old=another+one&new=long+enough",
            401,
            "原来的密码不对",
        ),
        (
            &zoe,
            "POST /chat/password",
            "old=x&new=short",
            400,
            "密码太短：只有 5 个字符，至少要 8 个",
        ),
        (
            &zoe,
            "GET /chat/password?changed",
            "",
            200,
            "密码已更改。其他各处的登录都已退出。",
        ),
    ] {
        let request = format!("{request}\r\n{BROWSER}\r\n{FORM}");
        let answer = who.send(&request, body.as_bytes()).await;
        check(answer, &request, status, says).await;
    }
    server.stop().await;
}

/// What somebody is told who is not let in to the chat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_problems_are_in_chinese() {
    let server = TestServer::start();
    Person::new(server.addr, "Zoë").await;
    let taken = "name=ZO%C3%8B&password=long+enough";
    let answer = ask(server.addr, "POST /chat/register", taken.as_bytes()).await;
    check(answer, "a taken name", 409, "名字“ZOË”已有人用；请换一个").await;
    let guess = format!("name=Zo%C3%AB&password={}", PASSWORD.len());
    let last = async {
        loop {
            let answer = ask(server.addr, "POST /chat/login", guess.as_bytes()).await;
            if answer.status != 401 {
                return answer;
            }
        }
    };
    let answer = soon(last).await;
    check(answer, "too many guesses", 429, "尝试次数太多；请过 ").await;
    server.stop().await;
}

/// What somebody is told who lacks a right.
#[tokio::test]
async fn missing_rights_are_told_in_chinese() {
    let tokens = [("reader", "read = [\"private\"]")];
    let file = AccessFile::with_tokens("", &tokens);
    let server = file.serve();
    let reader = bearer("reader");
    let two = format!("{reader}\r\n{reader}");
    for (request, header, body, status, says) in [
        (
            "GET /c/private",
            "",
            "",
            401,
            "要读取 private，你需要令牌。",
        ),
        ("GET /c/", "", "", 401, "要读取任何频道，你需要令牌。"),
        (
            "POST /c/private",
            "",
            "x",
            401,
            "要写入 private，你需要令牌。",
        ),
        (
            "GET /c/other",
            &reader,
            "",
            403,
            "你的令牌无权读取 other；请换一个令牌登录。",
        ),
        (
            "GET /c/other",
            &two,
            "",
            400,
            "请求带了多个令牌；请只发送一个。",
        ),
        (
            "GET /c/private",
            "Authorization: Bearer x",
            "",
            401,
            "这里不认识这个令牌，或者它已失效。",
        ),
        (
            "GET /c/private",
            "Authorization: Digest x",
            "",
            401,
            "首部 Authorization 里没有令牌：",
        ),
        (
            "POST /login",
            "",
            "token=wrong",
            401,
            "这里不认识这个令牌，或者它已失效。",
        ),
        ("GET /login", "", "", 200, "用令牌登录。"),
        (
            "GET /mailbox",
            "",
            "",
            404,
            "这里关闭了信箱、时钟和聊天：权限文件里没有 demos = true。",
        ),
    ] {
        let header = if header.is_empty() { "X: 1" } else { header };
        let answer = ask(
            server.addr,
            &format!("{request}\r\n{header}"),
            body.as_bytes(),
        )
        .await;
        check(answer, request, status, says).await;
    }
    // A cookie shows who is logged in, and what that one may not do.
    let form = format!("token={}", secret("reader"));
    let answer = ask(server.addr, "POST /login", form.as_bytes()).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    let request = format!("GET /login\r\nCookie: {cookie}");
    let answer = ask(server.addr, &request, b"").await;
    check(answer, "the holder", 200, "可以写：无").await;
    let last = async {
        loop {
            let answer = ask(server.addr, "POST /login", b"token=guess").await;
            if answer.status != 401 {
                return answer;
            }
        }
    };
    let answer = soon(last).await;
    check(answer, "too many tokens", 429, "这个令牌也不对。请等 ").await;
    server.stop().await;
}
