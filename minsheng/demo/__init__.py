"""An invented inbox for trying the project out, with the truth it was written from.

Lives are drawn first and files are written from them; no code of the project outside this
package is used.  Identity numbers carry regions that were never assigned, 330390 to 330399, and
telephone numbers begin with 120, so that neither can be anyone's.
"""

from minsheng.demo.generate import DemoSummary, generate

__all__ = ["DemoSummary", "generate"]
