"""A workbook of the old format (.xls), compressed: nothing that is still kept up writes them.

A hidden sheet "Old", then "Devices" with its names in row 3 from column B on, and two rows.
"""

from __future__ import annotations

import base64
import zlib

_PACKED = (
    "c-rk)Ur3Wt6hHU-vu|7enK~s6#)z_-8b%L^V6#6a1ex_xR8Z4>;LvTdtw3M0Y>z<@1Vt}`77<uI^p6S(dgvigiU@*03wjBHpr8l!"
    ">zwm_ThkUeNJ062<DPrZxqr^N_niA@-{eHu)X2S>X;^@rAj6#D0!NNaU~**`4`97vP%)D`F&Q>i6kJYpq(g-##jiE;A^Ce6B)F@*"
    "Knm~)(+TK@j(AM>FC%ud4Ix1`v<L-bPlD^1N}!tUDrefww1Vj!Zu^vJD@!giZNauv;uuT>I|5Bs93Pd|b6p8i0S~#)2bOGuN_a(a"
    "eD;zs+p4fD5efCJ`U;;?1fzgK(5}by1o3Vd!%Ao*_>@w(0d9Z+L_;*%5Dxp4wQv&`KS$*6>1mEeo0G{Y@M0*9!cW5w@FR0(Jonr3"
    "<&_IS`LFqM?H_U{x;vlTg^tfBccb?g$}dX_zz`Ux1Z}J|tbun5#h45S`@(4`g*v`aG}x=3iFE798R)<^zzMfsERG}+mH`GM{TO=P"
    "@zb#s=E<H=LPu#hG=Re;bv=gd;xVd8g;G@0*tmmflbbFnKGZz(4z*(5>P1MyXa<$bc*A>e-ZQtpzd6v=89d37A->4W>uw{>2Mjnz"
    "J+O00w#K9Z?or3|Jde7L%QZ~BxP36M?X0v4`-ZvA1+J|{J=+;?gPU^7o3Wh!dgzfa{W-V=%j50SgWmD?!4X)Gz6fJ~`VB+9s2A6+"
    "5*`OLxv&n#k4&roIwYNv$Fkk9?(|ZarEQHUGcSIr93D_pJVgIssaI99#uNO&Sc$7D@#ARzs+#LTGd4NNS{;*<k(0BWf}E1&ROHkw"
    "=RnSp<uv59EaybdY1ts>u|Z}VXjPwq4><|vvcH17UBx~>F3~L9lcZBdPspgr3s<xaw>yWvw5pO5B^uAdER()~AZ=uyvOt^4+9+CR"
    "ES2Z@a_s)rz_+$N99fVrvTWF}VZ(+E8_Nn|KD_zqK+g}=dWdP(cb!>GbM|MFRg1$A$6pHn#<f8V^8^eO6hBp<ip*GIk$p1X3kgS1"
    "djfi)i|yzwIDYYAE^_Cy=#HNMw}lGTKUavIORWDl3Zpbn"
)
OLD_WORKBOOK = zlib.decompress(base64.b85decode(_PACKED))
