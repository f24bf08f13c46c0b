"""Answers leave in one piece, and none is held back for ever."""

from inkwire.cli.whole_answers import WholeAnswers

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Line:
    """A transport that notes what is done with it."""

    def __init__(self):
        self.sent = []

    def write(self, data):
        self.sent.append(data)

    def close(self):
        self.sent.append("closed")

    def is_closing(self):
        return False

    def get_extra_info(self, name, default=None):
        return default


def test_head_and_body_are_one_write():
    """A short answer costs one system call and one packet."""
    line = Line()
    answers = WholeAnswers(line)
    for _ in range(2):
        answers.write(HEAD)
        answers.write(b"ok")
    assert line.sent == [HEAD + b"ok"] * 2


def test_only_the_first_piece_waits_for_the_head():
    """A longer body goes out piece by piece."""
    line = Line()
    answers = WholeAnswers(line)
    for piece in (HEAD, b"o", b"k"):
        answers.write(piece)
    assert line.sent == [HEAD + b"o", b"k"]


def test_a_streams_head_leaves_at_once():
    """A page that waits for news hears at once that it is connected."""
    line = Line()
    WholeAnswers(line).write(STREAM)
    assert line.sent == [STREAM]


def test_an_answer_without_a_body_is_not_held():
    """HEAD, 204 and 304 have no body that could take the head along."""
    line = Line()
    answers = WholeAnswers(line)
    answers.write(HEAD)
    answers.flush()
    answers.flush()
    assert line.sent == [HEAD]


def test_closing_sends_what_waits():
    """A server that ends a connection has said all it had to say."""
    line = Line()
    answers = WholeAnswers(line)
    answers.write(HEAD)
    answers.close()
    assert line.sent == [HEAD, "closed"]


def test_continue_is_not_a_head():
    """`100 Continue` must reach a client that waits for it before it sends its body."""
    line = Line()
    WholeAnswers(line).write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert line.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]
