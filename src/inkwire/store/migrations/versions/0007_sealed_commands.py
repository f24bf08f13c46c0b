"""What commands ask and answer is sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # They stand there in plain, and are kept for a day at most: whoever waits asks again.
    op.execute("DELETE FROM commands WHERE result IS NOT NULL")
    op.drop_column("commands", "result")
    op.add_column("commands", sa.Column("sealed", sa.LargeBinary(), nullable=True))
