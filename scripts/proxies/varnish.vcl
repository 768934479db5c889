vcl 4.1;
# varnishd -p pipe_timeout=3600
backend default { .host = "127.0.0.1"; .port = "8080"; }
sub vcl_recv { return (pipe); }
sub vcl_pipe { set bereq.http.Connection = "close"; }
